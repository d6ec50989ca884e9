/// Experts in the host's memory beside those of a device: what is sent where, the same answers, and the same bits in
/// any company.

#include "model/device_host_experts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "kernels/cuda/runtime.h"
#include "model/device_forward.h"
#include "model/model.h"
#include "model/solo_sequence.h"
#include "support/emulated_runtime.h"
#include "support/golden_file.h"
#include "support/sanitizers.h"

namespace gossamer::testing {
namespace {

/// A model, and its forward pass on a device with limits.
struct OnDevice {
  std::unique_ptr<Checkpoint> checkpoint;
  std::unique_ptr<Model> model;
  DeviceForward* forward = nullptr;

  const DeviceHostExperts& host() const { return *forward->host_experts(); }
};

class HostExpertsOfADevice : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    ModelConfig config = tiny_config();
    config.num_layers = 3;
    config.head_dim = 64;
    config.num_experts = 12;
    config.experts_per_token = 4;
    write_hugging_face(tiny_.path(), config, 7);
  }

  OnDevice open_files(const std::string& path) {
    auto checkpoint = Checkpoint::open(path);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    OnDevice opened{std::make_unique<Checkpoint>(std::move(checkpoint).value()), nullptr};
    opened.model = std::make_unique<Model>(*opened.checkpoint, kernels::make_backend("ref", threads_).value());
    return opened;
  }
  /// With room for that many experts beside what every token needs; ~0: no limit.
  OnDevice open(const std::string& path, uint64_t experts_on_device, DeviceLimits limits = {},
                bool with_embedding = false) {
    OnDevice opened = open_files(path);
    const Model& model = *opened.model;
    const DeviceWeightSizes sizes = DeviceWeights::sizes(model.weights()).value();
    if (experts_on_device != ~uint64_t{0})
      limits.weight_bytes =
          sizes.dense_bytes + experts_on_device * sizes.expert_bytes[0] + (with_embedding ? sizes.embedding_bytes : 0);
    auto device = DeviceForward::make(model.config(), model.weights(), model.rope_params(), threads_, {}, limits);
    EXPECT_TRUE(device.ok()) << device.error().message;
    opened.forward = device->get();
    opened.model->compute_on(std::move(*device));
    return opened;
  }

  /// Limits with counts for which the experts on the device are not the first ones of their layers.
  DeviceLimits scattered() const {
    DeviceLimits limits;
    limits.use = {home_ / "use", "digest"};
    ExpertUse use(3, 12);
    for (uint32_t layer = 0; layer < 3; ++layer)
      for (uint32_t expert = 0; expert < 12; ++expert)
        use.counts()[layer * 12 + expert] = (expert * 7 + layer * 5) % 12;
    EXPECT_TRUE(write_expert_use(limits.use, use).ok());
    return limits;
  }

  static std::vector<float> run(Model& model, SoloSequence& sequence, std::span<const TokenId> tokens,
                                ForwardTrace* trace = nullptr) {
    Batch batch;
    batch.tokens.assign(tokens.begin(), tokens.end());
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(static_cast<uint32_t>(tokens.size())));
    for (uint32_t i = 0; i < row.length; ++i) row.logit_offsets.push_back(i);
    auto logits = model.forward(batch, trace);
    EXPECT_TRUE(logits.ok()) << logits.error().message;
    return {logits->begin(), logits->end()};
  }
  static std::vector<TokenId> some_tokens(size_t count) {
    std::vector<TokenId> tokens(count);
    for (size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(i * 37 % 79);
    return tokens;
  }
  static std::vector<float> logits_of(Model& model, size_t count) {
    auto sequence = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
    return run(model, sequence, some_tokens(count));
  }
  static double mean_difference(std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += std::fabs(static_cast<double>(a[i]) - b[i]);
    return sum / static_cast<double>(a.size());
  }

  ThreadPool threads_{3};
  TempFolder tiny_, home_;
};

size_t argmax(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// The tolerances are those of device_test: the oracles', for bfloat16.
TEST_F(HostExpertsOfADevice, GiveTheOraclesLogits) {
  if (oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
  for (const char* const name : {"t64", "t96"}) {
    auto golden = GoldenFile::open(oracle_folder() + "/goldens/model/" + name + ".safetensors");
    ASSERT_TRUE(golden.ok()) << golden.error().message;
    for (const uint64_t on_device : {0, 7}) {  // device_test has all of them there
      OnDevice opened = open(oracle_folder() + "/models/" + name, on_device);
      EXPECT_TRUE(opened.forward->has_host_experts());
      const size_t vocab = opened.model->config().vocab_size;
      for (const std::string& tokens_name : golden->names()) {
        if (!tokens_name.ends_with("/tokens")) continue;
        const std::string c = tokens_name.substr(0, tokens_name.size() - 7);
        SCOPED_TRACE(fmt::format("{} {}, {} experts on the device", name, c, on_device));
        const auto ids = golden->i32(tokens_name);
        if (ids.size() > 200) continue;
        const std::vector<TokenId> tokens(ids.begin(), ids.end());
        const auto positions = golden->i32(c + "/positions");
        const auto want = golden->f32(c + "/logits");
        auto sequence =
            SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, static_cast<uint32_t>(tokens.size()) + 1);
        ASSERT_TRUE(sequence.ok()) << sequence.error().message;
        const auto logits = run(*opened.model, *sequence, tokens);
        double sum = 0;
        size_t agree = 0;
        for (size_t p = 0; p < positions.size(); ++p) {
          const auto got = std::span(logits).subspan(static_cast<size_t>(positions[p]) * vocab, vocab);
          const auto expected = want.subspan(p * vocab, vocab);
          sum += mean_difference(got, expected);
          agree += argmax(got) == argmax(expected);
        }
        EXPECT_LE(sum / static_cast<double>(positions.size()), std::string_view(name) == "t64" ? 0.03 : 0.1);
        EXPECT_GE(agree, 0.9 * static_cast<double>(positions.size()));
      }
    }
  }
}

/// A prompt in one piece, in chunks, and its end one token at a time: the same bits. Copies that arrive late are part
/// of the emulated device, so this also shows that everything is waited for.
TEST_F(HostExpertsOfADevice, GiveATokenTheSameBitsHoweverItIsComputed) {
  for (const uint64_t on_device : {uint64_t{0}, uint64_t{14}}) {
    SCOPED_TRACE(on_device);
    OnDevice opened = open(tiny_.path(), on_device, scattered());
    Model& model = *opened.model;
    ASSERT_TRUE(opened.forward->has_host_experts());
    const std::vector<TokenId> tokens = some_tokens(70);
    const std::vector<float> want = logits_of(model, tokens.size());
    auto cut = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
    std::vector<float> got;
    for (const auto& [begin, length] : {std::pair<size_t, size_t>{0, 33}, {33, 30}, {63, 1}, {64, 1}, {65, 5}}) {
      const auto part = run(model, cut, std::span(tokens).subspan(begin, length));
      got.insert(got.end(), part.begin(), part.end());
    }
    ASSERT_EQ(got.size(), want.size());
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0);
  }
}

/// Steps of few tokens are graphs between the host's answers. What kernels write to the host's memory is seen there as
/// it was when the flag was raised, so this also shows that nothing is told too early and nothing read before it.
TEST_F(HostExpertsOfADevice, HaveTheSameBitsInGraphsAndKernelByKernel) {
  const auto placements = kSanitized ? std::vector<uint64_t>{14} : std::vector<uint64_t>{0, 14, 33};
  for (const uint64_t on_device : placements) {
    SCOPED_TRACE(on_device);
    const std::vector<TokenId> tokens = some_tokens(60);
    const auto answer = [&](bool in_graphs) {
      emulated::allow_graphs(in_graphs);
      OnDevice opened = open(tiny_.path(), on_device, scattered());
      auto sequence = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 128).value();
      std::vector<float> logits;
      size_t begin = 0;
      for (const size_t length : {20, 1, 1, 9, 8, 1, 5, 8, 1, 6}) {
        const uint64_t launched = emulated::num_graph_launches();
        const auto part = run(*opened.model, sequence, std::span(tokens).subspan(begin, length));
        logits.insert(logits.end(), part.begin(), part.end());
        const bool is_graph = in_graphs && length <= kMostSegmentTokens;
        EXPECT_EQ(emulated::num_graph_launches() - launched, is_graph ? 4u : 0u) << "three layers and what ends them";
        begin += length;
      }
      return logits;
    };
    const std::vector<float> one_by_one = answer(false), in_graphs = answer(true);
    ASSERT_EQ(one_by_one.size(), in_graphs.size());
    EXPECT_EQ(std::memcmp(one_by_one.data(), in_graphs.data(), in_graphs.size() * sizeof(float)), 0);
  }
}

TEST_F(HostExpertsOfADevice, TakeNoMemoryOnceTheyAreReady) {
  OnDevice opened = open(tiny_.path(), 14, scattered());
  Model& model = *opened.model;
  auto sequence = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
  ASSERT_TRUE(opened.forward->prepare({40, 8, 128}).ok());
  opened.forward->warm_up(*sequence.next_row(1).cache.memory);
  EXPECT_NE(opened.forward->memory_text().find(" for 8 graphs"), std::string::npos) << opened.forward->memory_text();
  const uint64_t allocations = kernels::cuda::DeviceMemory::num_allocations();
  const std::vector<TokenId> tokens = some_tokens(60);
  size_t begin = 0;
  for (const size_t length : {20, 1, 8, 9, 4}) {
    run(model, sequence, std::span(tokens).subspan(begin, length));
    begin += length;
  }
  EXPECT_EQ(kernels::cuda::DeviceMemory::num_allocations(), allocations);
}

/// A step that the device does not begin is an error, not a wait without an end; the next one is as ever.
TEST_F(HostExpertsOfADevice, AreNotWaitedForInAStepThatFailed) {
  OnDevice opened = open(tiny_.path(), 14, scattered());
  Model& model = *opened.model;
  const std::vector<TokenId> tokens = some_tokens(30);
  const auto logits_after = [&](bool fails) {
    auto sequence = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
    run(model, sequence, std::span(tokens).first(20));
    if (fails) {
      emulated::fail_start(3);  // behind what is sent, and a layer
      Batch batch;
      batch.tokens = {tokens[20]};
      batch.rows.push_back(sequence.next_row(1));
      batch.rows.back().logit_offsets = {0};
      const auto failed = model.forward(batch);
      EXPECT_FALSE(failed.ok());
      EXPECT_NE(failed.error().message.find("cannot start a kernel"), std::string::npos) << failed.error().message;
      sequence.truncate(20);
    }
    return run(model, sequence, std::span(tokens).subspan(20, 1));
  };
  const std::vector<float> want = logits_after(false);
  EXPECT_EQ(want, logits_after(true));
}

/// The host's kernels round otherwise than the device's, not more.
TEST_F(HostExpertsOfADevice, AreAsExactAsThoseOfTheDevice) {
  constexpr size_t kTokens = 24;
  const std::vector<float> exact = logits_of(*open_files(tiny_.path()).model, kTokens);
  OnDevice plain = open(tiny_.path(), ~uint64_t{0});
  ASSERT_FALSE(plain.forward->has_host_experts());
  EXPECT_EQ(plain.forward->placement(), "");
  const std::vector<float> on_device = logits_of(*plain.model, kTokens);
  const double error_of_device = mean_difference(on_device, exact);
  RecordProperty("error_of_device", std::to_string(error_of_device));
  for (const uint64_t num_on_device : {0, 5, 20, 35}) {
    SCOPED_TRACE(num_on_device);
    OnDevice opened = open(tiny_.path(), num_on_device, scattered());
    const std::vector<float> logits = logits_of(*opened.model, kTokens);
    EXPECT_NE(logits, on_device) << "nobody computed anything on the host";
    const double error = mean_difference(logits, exact);
    RecordProperty("error_with_" + std::to_string(num_on_device) + "_there", std::to_string(error));
    EXPECT_LT(error, 1.25 * error_of_device);
  }
  OnDevice roomy = open(tiny_.path(), 36, {}, true);
  EXPECT_FALSE(roomy.forward->has_host_experts()) << "all fit";
  EXPECT_EQ(logits_of(*roomy.model, kTokens), on_device);
  OnDevice nearly = open(tiny_.path(), 36);
  EXPECT_TRUE(nearly.forward->has_host_experts()) << "all fit but for the embedding";
}

TEST_F(HostExpertsOfADevice, AreNotInItsMemory) {
  const OnDevice opened = open_files(tiny_.path());
  const ModelConfig& config = opened.model->config();
  const Weights& weights = opened.model->weights();
  const DeviceWeightSizes sizes = DeviceWeights::sizes(weights).value();
  ExpertUse use(config.num_layers, config.num_experts);
  use.count(1, std::vector<uint32_t>{11, 2, 2, 7});
  const ExpertPlacement all = ExpertPlacement::all_on_device(config.num_layers, config.num_experts);
  const ExpertPlacement some = ExpertPlacement::choose(use, sizes.expert_bytes, 10 * sizes.expert_bytes[0]);
  const DeviceWeights whole = DeviceWeights::upload(config, weights, threads_, {}, all).value();
  const DeviceWeights part = DeviceWeights::upload(config, weights, threads_, {}, some).value();
  const uint64_t gaps = 2 * 256 * config.num_layers;
  EXPECT_NEAR(static_cast<double>(whole.size_bytes() - part.size_bytes()),
              static_cast<double>(26 * sizes.expert_bytes[0] + sizes.embedding_bytes), static_cast<double>(gaps));
  EXPECT_EQ(part.embedding(), nullptr);
  EXPECT_LE(part.size_bytes(), sizes.dense_bytes + 10 * sizes.expert_bytes[0]);
  EXPECT_GE(part.size_bytes() + gaps, sizes.dense_bytes + 10 * sizes.expert_bytes[0]);

  const auto stream = kernels::cuda::DeviceStream::create().value();
  const auto strips = [&](const DeviceMatrix& matrix, uint32_t place) {
    std::vector<std::byte> bytes(matrix.shape.bytes());
    stream.copy_to_host(bytes.data(), matrix.strips + place * bytes.size(), bytes.size());
    EXPECT_TRUE(stream.synchronize().ok());
    return bytes;
  };
  for (uint32_t layer = 0; layer < config.num_layers; ++layer)
    for (uint32_t place = 0; place < some.on_device(layer).size(); ++place) {
      const uint32_t expert = some.order(layer)[place];
      EXPECT_EQ(strips(part.layer(layer).gate_up, place), strips(whole.layer(layer).gate_up, expert));
      EXPECT_EQ(strips(part.layer(layer).down, place), strips(whole.layer(layer).down, expert));
    }
}

TEST_F(HostExpertsOfADevice, HaveTheSameBitsInTheFileAsPackedAndOnAnyThreads) {
  const OnDevice opened = open_files(tiny_.path());
  const ModelConfig& config = opened.model->config();
  const std::vector<uint64_t> bytes(config.num_layers, 1);
  const ExpertPlacement placement =
      ExpertPlacement::choose(ExpertUse(config.num_layers, config.num_experts), bytes, 3 * config.num_layers);
  constexpr uint32_t kTokens = 20, kStride = 128;
  std::vector<uint16_t> x(kTokens * kStride);
  for (size_t i = 0; i < x.size(); ++i) x[i] = f32_to_f16(std::sin(static_cast<float>(i)));
  std::vector<uint32_t> choices;
  for (uint32_t i = 0; i < kTokens * 4; ++i) choices.push_back((i * 5 + i / 4) % config.num_experts);
  std::vector<std::vector<float>> seen;
  for (const bool may_pack : {true, false})
    for (const unsigned num_threads : {1, 4}) {
      ThreadPool threads(num_threads);
      auto backend = kernels::make_backend("", threads, kernels::Precision::kExact).value();
      const bool packs = may_pack && backend->packed_bytes(opened.model->weights().layers[0].gate.first) > 0;
      HostExperts experts(opened.model->weights(), placement, config.swiglu_limit, std::move(backend), threads,
                          may_pack, {});
      EXPECT_EQ(experts.is_packed(), packs);
      std::vector<float>& out = seen.emplace_back(choices.size() * config.hidden, -1.f);
      const uint32_t rows =
          experts.compute(1, {x.data(), kStride, Dtype::kF16}, choices, config.experts_per_token, out.data());
      EXPECT_EQ(rows, static_cast<uint32_t>(
                          std::count_if(choices.begin(), choices.end(), [](uint32_t expert) { return expert >= 3; })));
      EXPECT_TRUE(std::all_of(out.begin() + rows * config.hidden, out.end(), [](float v) { return v == -1.f; }))
          << "rows of nobody are left alone";
    }
  for (const auto& other : seen) EXPECT_EQ(other, seen.front());
}

/// What was chosen in one run decides what is on the device in the next.
TEST_F(HostExpertsOfADevice, AreThoseThatWereChosenLeast) {
  DeviceLimits limits;
  limits.use = {home_ / "use", "digest"};
  ExpertUse want(3, 12);
  {
    OnDevice opened = open(tiny_.path(), 9, limits);
    EXPECT_EQ(opened.forward->placement().find("damaged"), std::string::npos) << opened.forward->placement();
    EXPECT_NE(opened.forward->placement().find("9 of 36 experts are in the GPU's memory"), std::string::npos)
        << opened.forward->placement();
    auto sequence = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 64).value();
    ForwardTrace trace;
    run(*opened.model, sequence, some_tokens(31), &trace);
    for (uint32_t layer = 0; layer < 3; ++layer) want.count(layer, trace.layers[layer].router_indices);
    EXPECT_TRUE(std::ranges::equal(opened.host().use().counts(), want.counts()));
    EXPECT_TRUE(read_expert_use(limits.use, 3, 12).use.is_empty()) << "it is written at the end";
  }
  EXPECT_TRUE(std::ranges::equal(read_expert_use(limits.use, 3, 12).use.counts(), want.counts()));
  {
    const OnDevice again = open(tiny_.path(), 9, limits);
    const std::vector<uint64_t> bytes(3, 1);
    const ExpertPlacement best = ExpertPlacement::choose(want, bytes, 9);
    for (uint32_t layer = 0; layer < 3; ++layer)
      EXPECT_TRUE(std::ranges::equal(again.host().placement().order(layer), best.order(layer)));
    EXPECT_EQ(again.host().placement().num_on_device(), 9u);
  }
  std::ofstream(limits.use.path, std::ios::binary) << "something else";
  const OnDevice anew = open(tiny_.path(), 9, limits);
  EXPECT_TRUE(anew.host().use().is_empty());
  EXPECT_NE(anew.forward->placement().find(limits.use.path + " is damaged"), std::string::npos)
      << anew.forward->placement();
}

TEST_F(HostExpertsOfADevice, CannotReplaceWhatEveryTokenNeeds) {
  const OnDevice opened = open_files(tiny_.path());
  const Model& model = *opened.model;
  DeviceLimits limits;
  limits.weight_bytes = 1000;
  const auto device = DeviceForward::make(model.config(), model.weights(), model.rope_params(), threads_, {}, limits);
  ASSERT_FALSE(device.ok());
  const std::string& message = device.error().message;
  const double dense = static_cast<double>(DeviceWeights::sizes(model.weights())->dense_bytes) / 1e9;
  EXPECT_NE(message.find(fmt::format("take {:.3g} GB", dense)), std::string::npos) << message;
  EXPECT_NE(message.find("1e-06 GB"), std::string::npos) << message;
  EXPECT_NE(message.find("--gpu-memory"), std::string::npos) << message;
}

}  // namespace
}  // namespace gossamer::testing
