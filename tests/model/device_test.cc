/// The forward pass on a device: the oracles' logits within bfloat16's tolerances, and the same bits in any company.

#include "model/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/cuda/runtime.h"
#include "model/device_forward.h"
#include "model/model.h"
#include "model/solo_sequence.h"
#include "support/golden_file.h"

namespace gossamer::testing {
namespace {

class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
    const auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
  }

  struct Opened {
    std::unique_ptr<Checkpoint> checkpoint;
    std::unique_ptr<Model> model;
  };
  Opened open(const std::string& file, DeviceSums sums = DeviceSums::kPortable) {
    auto checkpoint = Checkpoint::open(oracle_folder() + "/models/" + file);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    Opened opened{std::make_unique<Checkpoint>(std::move(checkpoint).value()), nullptr};
    opened.model = std::make_unique<Model>(*opened.checkpoint, kernels::make_backend("ref", threads_).value());
    auto device = DeviceForward::make(opened.model->config(), opened.model->weights(), opened.model->rope_params(),
                                      threads_, {}, {.sums = sums});
    EXPECT_TRUE(device.ok()) << device.error().message;
    opened.model->compute_on(std::move(*device));
    return opened;
  }

  static std::vector<float> run(Model& model, SoloSequence& sequence, std::span<const TokenId> tokens) {
    Batch batch;
    batch.tokens.assign(tokens.begin(), tokens.end());
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(static_cast<uint32_t>(tokens.size())));
    for (uint32_t i = 0; i < row.length; ++i) row.logit_offsets.push_back(i);
    auto logits = model.forward(batch);
    EXPECT_TRUE(logits.ok()) << logits.error().message;
    return {logits->begin(), logits->end()};
  }

  ThreadPool threads_{2};
};

TEST(DeviceChoices, AreWords) {
  using Kind = DeviceChoice::Kind;
  EXPECT_EQ(DeviceChoice::parse("auto")->kind, Kind::kAuto);
  EXPECT_EQ(DeviceChoice::parse("cpu")->kind, Kind::kCpu);
  EXPECT_EQ(DeviceChoice::parse("cuda")->index, DeviceChoice::kFirst);
  EXPECT_EQ(DeviceChoice::parse("cuda:3")->kind, Kind::kCuda);
  EXPECT_EQ(DeviceChoice::parse("cuda:3")->index, 3);
  for (const char* wrong : {"", "tpu", "cuda:", "cuda:-1", "cuda:1x", "CUDA"})
    EXPECT_FALSE(DeviceChoice::parse(wrong).ok()) << wrong;
}

TEST(DeviceSumsNames, AreWords) {
  for (const DeviceSums sums : {DeviceSums::kAuto, DeviceSums::kPortable, DeviceSums::kHopper, DeviceSums::kOneRun})
    EXPECT_EQ(*parse_device_sums(device_sums_name(sums)), sums);
  for (const char* wrong : {"", "fast", "Hopper"}) EXPECT_FALSE(parse_device_sums(wrong).ok()) << wrong;
}

/// A card is asked once, when the model is put there.
TEST_F(OnDevice, ProductsAreByWarpgroupsWhereTheCardShowsTheSameBits) {
  Opened opened = open("t64", DeviceSums::kAuto);
  const auto& device = dynamic_cast<const DeviceForward&>(*opened.model->elsewhere());
  if (!kernels::cuda::has_warpgroups()) {
    EXPECT_EQ(device.sums(), DeviceSums::kPortable);
  } else if (kernels::cuda::list_devices()->front().name == "emulated") {
    EXPECT_EQ(device.sums(), DeviceSums::kHopper);
    EXPECT_NE(device.memory_text().find("products by warpgroups"), std::string::npos);
  }
}

size_t argmax(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

TEST_F(OnDevice, LogitsAreWithinBfloat16OfTheOracles) {
  for (const char* const file : {"t64", "t96", "t96/t96-q8_0.gguf", "t160"}) {
    SCOPED_TRACE(file);
    const std::string name = std::string(file).substr(0, std::string(file).find('/'));
    const bool q8 = std::string_view(file).find("q8_0") != std::string_view::npos;
    auto golden = GoldenFile::open(oracle_folder() + "/goldens/model/" + name + ".safetensors");
    ASSERT_TRUE(golden.ok()) << golden.error().message;
    Opened opened = open(file);
    const size_t vocab = opened.model->config().vocab_size;
    for (const std::string& tokens_name : golden->names()) {
      if (!tokens_name.ends_with("/tokens")) continue;
      const std::string c = tokens_name.substr(0, tokens_name.size() - 7);
      const auto ids = golden->i32(tokens_name);
      if (ids.size() > 600) continue;
      SCOPED_TRACE(c);
      const std::vector<TokenId> tokens(ids.begin(), ids.end());
      const auto positions = golden->i32(c + "/positions");
      const auto want = golden->f32(q8 ? c + "/logits_q8_0" : c + "/logits");
      auto sequence =
          SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, static_cast<uint32_t>(tokens.size()) + 1);
      ASSERT_TRUE(sequence.ok()) << sequence.error().message;
      const auto logits = run(*opened.model, *sequence, tokens);
      double sum = 0;
      size_t agree = 0;
      for (size_t p = 0; p < positions.size(); ++p) {
        const auto got = std::span(logits).subspan(static_cast<size_t>(positions[p]) * vocab, vocab);
        const auto expected = want.subspan(p * vocab, vocab);
        for (size_t i = 0; i < vocab; ++i) sum += std::fabs(static_cast<double>(got[i]) - expected[i]);
        agree += argmax(got) == argmax(expected);
      }
      const double mean = sum / static_cast<double>(want.size());
      RecordProperty("mean_abs_" + name + "_" + c, std::to_string(mean));
      EXPECT_LE(mean, name == "t64" ? 0.03 : 0.1);
      EXPECT_GE(agree, 0.9 * static_cast<double>(positions.size()));
    }
  }
}

/// A prompt in one piece, in chunks, beside another sequence, and its end one token at a time: the same bits.
TEST_F(OnDevice, ATokenHasTheSameBitsHoweverItIsComputed) {
  Opened opened = open("t96");
  Model& model = *opened.model;
  std::vector<TokenId> tokens(90);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * 37 % 500);
  auto whole = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
  const std::vector<float> want = run(model, whole, tokens);
  auto cut = SoloSequence::make(model, kernels::KvDtype::kBf16, 128).value();
  std::vector<float> got;
  for (const auto& [begin, length] : {std::pair<size_t, size_t>{0, 33}, {33, 50}, {83, 1}, {84, 1}, {85, 5}}) {
    const auto part = run(model, cut, std::span(tokens).subspan(begin, length));
    got.insert(got.end(), part.begin(), part.end());
  }
  ASSERT_EQ(got.size(), want.size());
  EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0);
}

/// By Hopper's warpgroups: the same order of sums, so on a device that rounds alike the same bits; and another order,
/// near them, and with bits of its own that do not depend on company either.
TEST_F(OnDevice, ProductsByWarpgroupsGiveTheSameLogits) {
  if (!kernels::cuda::has_warpgroups()) GTEST_SKIP() << "the GPU is no Hopper";
  const bool is_emulated = kernels::cuda::list_devices()->front().name == "emulated";
  std::vector<TokenId> tokens(70);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * 37 % 500);
  std::vector<float> logits[3];
  for (const DeviceSums sums : {DeviceSums::kPortable, DeviceSums::kHopper, DeviceSums::kOneRun}) {
    Opened opened = open("t96", sums);
    auto whole = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 128).value();
    std::vector<float>& all = logits[static_cast<size_t>(sums) - 1] = run(*opened.model, whole, tokens);
    if (sums != DeviceSums::kOneRun) continue;
    auto cut = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 128).value();
    std::vector<float> parts = run(*opened.model, cut, std::span(tokens).first(69));
    const std::vector<float> last = run(*opened.model, cut, std::span(tokens).last(1));
    parts.insert(parts.end(), last.begin(), last.end());
    EXPECT_EQ(std::memcmp(parts.data(), all.data(), all.size() * sizeof(float)), 0);
  }
  if (is_emulated) {
    EXPECT_EQ(std::memcmp(logits[0].data(), logits[1].data(), logits[0].size() * sizeof(float)), 0);
    EXPECT_NE(std::memcmp(logits[0].data(), logits[2].data(), logits[0].size() * sizeof(float)), 0);
  }
  for (const size_t other : {1, 2}) {
    double sum = 0;
    for (size_t i = 0; i < logits[0].size(); ++i)
      sum += std::fabs(static_cast<double>(logits[0][i]) - logits[other][i]);
    EXPECT_LT(sum / static_cast<double>(logits[0].size()), 0.01);  // a third of what bfloat16 may change of them
  }
}

/// The best few instead of all: those of the same logits, with a mask, changes and the sum of all. More of them than a
/// block of the device sorts are chosen by the host.
TEST_F(OnDevice, TheBestFewAreThoseOfAllLogits) {
  Opened opened = open("t64");
  Model& model = *opened.model;
  const uint32_t vocab = model.config().vocab_size;
  const std::vector<TokenId> tokens{1, 2, 3, 4, 5};
  auto sequence = SoloSequence::make(model, kernels::KvDtype::kBf16, 32).value();
  std::vector<float> all = run(model, sequence, tokens);
  all.erase(all.begin(), all.end() - vocab);
  TokenMask mask(vocab, true);
  for (TokenId token = 0; token < vocab; token += 3) mask.forbid(token);
  mask.apply(all);
  const double sum = kernels::log_sum_exp(all);
  const std::vector<kernels::LogitChange> changes{{4, 2.f, 1.f, 0.f}, {7, 0.f, 2.f, 0.5f}};
  for (const kernels::LogitChange& change : changes) all[change.token] = change.apply(all[change.token]);

  for (const uint32_t k : {20u, kernels::cuda::kMostCandidates + 1}) {
    SCOPED_TRACE(k);
    sequence.truncate(4);
    Batch batch;
    batch.tokens = {5};
    kernels::TopLogits top;
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(1));
    row.logit_offsets = {0};
    row.masks = {&mask};
    row.tops = {{k, true, changes, &top}};
    const auto logits = model.forward(batch);
    ASSERT_TRUE(logits.ok()) << logits.error().message;
    EXPECT_TRUE(logits->empty());
    EXPECT_NEAR(top.log_sum_exp, sum, 1e-5);
    kernels::TopCollector collector;
    collector.reset(k);
    collector.add(0, all);
    const auto want = kernels::best_of({collector.candidates().begin(), collector.candidates().end()}, k);
    ASSERT_EQ(top.best.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(top.best[i].token, want[i].token);
      EXPECT_EQ(top.best[i].logit, want[i].logit);
    }
  }
}

TEST_F(OnDevice, RowsHaveOneCache) {
  Opened opened = open("t64");
  auto one = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 32).value();
  auto other = SoloSequence::make(*opened.model, kernels::KvDtype::kBf16, 32).value();
  Batch batch;
  batch.tokens = {1, 2};
  batch.rows.push_back(one.next_row(1));
  batch.rows.push_back(other.next_row(1));
  const auto logits = opened.model->forward(batch);
  ASSERT_FALSE(logits.ok());
  EXPECT_NE(logits.error().message.find("different caches"), std::string::npos) << logits.error().message;
}

}  // namespace
}  // namespace gossamer::testing
