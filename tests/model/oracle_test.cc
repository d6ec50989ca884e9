/// The forward pass against transformers in float32, on tiny random gpt-oss models: every file form, every backend,
/// prefill and one token at a time, beyond the window and beyond the original context, router choices included.

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "kernels/each_backend.h"
#include "model/model.h"
#include "model/solo_sequence.h"
#include "support/golden_file.h"
#include "support/sanitizers.h"

namespace gossamer::testing {
namespace {

struct OracleFile {
  const char* model;
  const char* file;  // under models/MODEL; "" is the folder
};
constexpr OracleFile kFiles[] = {
    {"t64", ""},  {"t64", "t64.gguf"},   {"t96", ""},  {"t96", "t96.gguf"},   {"t96", "t96-q8_0.gguf"},
    {"t160", ""}, {"t160", "t160.gguf"}, {"t192", ""}, {"t192", "t192.gguf"}, {"t64hd32", ""}};

/// Difference of two rows of numbers, as the tolerances of the oracle speak of it.
struct Difference {
  double largest = 0, sum = 0;
  size_t count = 0;
  void add(std::span<const float> got, std::span<const float> want) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      const double d = std::isfinite(got[i]) ? std::fabs(static_cast<double>(got[i]) - want[i]) : INFINITY;
      largest = std::max(largest, d);
      sum += d;
      ++count;
    }
  }
  double mean() const { return count ? sum / static_cast<double>(count) : 0; }
};

TokenId argmax(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

class Oracle : public EachBackend {
 protected:
  void SetUp() override {
    EachBackend::SetUp();
    if (!IsSkipped() && oracle_folder().empty()) GTEST_SKIP() << "no oracle values beside this checkout";
  }

  struct Opened {
    std::unique_ptr<Checkpoint> checkpoint;
    std::unique_ptr<Model> model;
  };
  Opened open(const OracleFile& file) {
    std::string path = oracle_folder() + "/models/" + file.model;
    if (*file.file) path += std::string("/") + file.file;
    auto checkpoint = Checkpoint::open(path);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    Opened opened{std::make_unique<Checkpoint>(std::move(checkpoint).value()), nullptr};
    opened.model = std::make_unique<Model>(*opened.checkpoint, make());
    return opened;
  }

  static SoloSequence make_sequence(const Model& model, size_t tokens) {
    return SoloSequence::make(model, kernels::KvDtype::kF32, static_cast<uint32_t>(tokens) + 1).value();
  }

  /// Extends `sequence` by `tokens`, all logits asked for.
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

  void expect_native_everywhere(const Model& model) {
    for (size_t op = 0; op < kernels::kNumOps; ++op) {
      const auto& counts = model.backend().counts(static_cast<kernels::Op>(op));
      EXPECT_GT(counts.native, 0u) << kernels::op_name(static_cast<kernels::Op>(op));
      EXPECT_EQ(counts.fallback, 0u) << kernels::op_name(static_cast<kernels::Op>(op));
    }
  }
};

TEST_P(Oracle, LogitsOfEveryModelFormAndCase) {
  for (const OracleFile& file : kFiles) {
    SCOPED_TRACE(std::string(file.model) + "/" + file.file);
    const bool q8 = std::string_view(file.file).find("q8_0") != std::string_view::npos;
    auto golden = GoldenFile::open(oracle_folder() + "/goldens/model/" + file.model + ".safetensors");
    ASSERT_TRUE(golden.ok()) << golden.error().message;
    Opened opened = open(file);
    const size_t vocab = opened.model->config().vocab_size;
    size_t cases = 0;
    for (const std::string& name : golden->names()) {
      if (!name.ends_with("/tokens")) continue;
      const std::string c = name.substr(0, name.size() - 7);
      SCOPED_TRACE(c);
      ++cases;
      const bool beyond_4096 = c == "beyond-4096";
      if (beyond_4096 && GetParam() == "ref" && *file.file) continue;  // minutes of plain loops; the other form has it
      if (beyond_4096 && kSanitized && (*file.file || GetParam() == "ref")) continue;
      const auto ids = golden->i32(name);
      const std::vector<TokenId> tokens(ids.begin(), ids.end());
      const auto positions = golden->i32(c + "/positions");
      const auto want = golden->f32(q8 ? c + "/logits_q8_0" : c + "/logits");

      // Prefill, in chunks as a session cuts it; the kept rows only.
      SoloSequence sequence = make_sequence(*opened.model, tokens.size());
      Difference difference;
      for (size_t begin = 0; begin < tokens.size(); begin += 512) {
        const size_t length = std::min<size_t>(512, tokens.size() - begin);
        const auto logits = run(*opened.model, sequence, std::span(tokens).subspan(begin, length));
        for (size_t p = 0; p < positions.size(); ++p)
          if (positions[p] >= static_cast<int>(begin) && positions[p] < static_cast<int>(begin + length))
            difference.add({&logits[(positions[p] - begin) * vocab], vocab}, want.subspan(p * vocab, vocab));
      }
      EXPECT_EQ(difference.count, want.size());
      EXPECT_LE(difference.largest, beyond_4096 ? 5e-3 : 1e-3);
      EXPECT_LE(difference.mean(), 5e-5);
      RecordProperty("max_abs_" + std::string(file.model) + "_" + c, std::to_string(difference.largest));
      if (q8) continue;

      // One token at a time from the end of the prompt, greedy.
      const auto decode = golden->f32(c + "/decode_logits");
      const size_t num_decoded = decode.size() / vocab, prompt = tokens.size() - num_decoded;
      Difference incremental;
      for (size_t i = 0; i < num_decoded; ++i) {
        sequence.truncate(static_cast<uint32_t>(prompt + i - 1));  // takes tokens back, so that each step decodes one
        const auto logits = run(*opened.model, sequence, std::span(tokens).subspan(prompt + i - 1, 1));
        incremental.add(logits, decode.subspan(i * vocab, vocab));
        EXPECT_EQ(argmax(logits), tokens[prompt + i]) << "decoded token " << i;
      }
      EXPECT_LE(incremental.largest, 1e-3);
      EXPECT_LE(incremental.mean(), 5e-5);
    }
    EXPECT_GT(cases, 0u);
    expect_native_everywhere(*opened.model);
  }
}

TEST_P(Oracle, HiddenStatesAndRouterChoices) {
  for (const char* name : {"t64", "t96", "t160"}) {
    SCOPED_TRACE(name);
    auto golden = GoldenFile::open(oracle_folder() + "/goldens/model/" + name + ".safetensors");
    ASSERT_TRUE(golden.ok());
    Opened opened = open({name, ""});
    for (const std::string& key : golden->names()) {
      if (!key.ends_with("/router_indices")) continue;
      const std::string c = key.substr(0, key.size() - 15);
      const auto ids = golden->i32(c + "/tokens");
      const std::vector<TokenId> tokens(ids.begin(), ids.end());
      SoloSequence sequence = make_sequence(*opened.model, tokens.size());
      ForwardTrace trace;
      run(*opened.model, sequence, tokens, &trace);
      // [layers, T, ...], but `hidden` begins with the embedding.
      const auto layer_slice = [&](const std::string& tensor, size_t layer) {
        const auto all = golden->f32(c + "/" + tensor);
        const size_t stored = golden->shape(c + "/" + tensor)[0], each = all.size() / stored;
        return all.subspan((stored - trace.layers.size() + layer) * each, each);
      };
      for (size_t layer = 0; layer < trace.layers.size(); ++layer) {
        Difference states, router;
        states.add(trace.layers[layer].after_attention, layer_slice("after_attn", layer));
        states.add(trace.layers[layer].hidden, layer_slice("hidden", layer));
        router.add(trace.layers[layer].router_logits, layer_slice("router_logits", layer));
        router.add(trace.layers[layer].router_weights, layer_slice("router_weights", layer));
        EXPECT_LE(states.largest, 1e-3) << "layer " << layer;
        EXPECT_LE(router.largest, 1e-3) << "layer " << layer;
        const auto& chosen = trace.layers[layer].router_indices;
        const auto expected = golden->i32(key).subspan(layer * chosen.size(), chosen.size());
        for (size_t i = 0; i < chosen.size(); ++i)
          ASSERT_EQ(chosen[i], static_cast<uint32_t>(expected[i])) << "layer " << layer << " slot " << i;
      }
      Difference final_norm;
      final_norm.add(trace.final_norm, golden->f32(c + "/final_norm"));
      EXPECT_LE(final_norm.largest, 1e-3);
    }
  }
}

/// Two references in bfloat16 move logits by 0.03 to 0.06 in the mean on these models, and flip an expert now and then.
/// Rounding activations to 15 bits does a hundredth of that. Most of them to 8 bits has to stay within what the oracles
/// allow an engine in bfloat16: 0.1, and nine of ten first choices.
class RoundingOracle : public Oracle {};
TEST_P(RoundingOracle, RoundedActivationsChangeLittle) {
  for (const char* name : {"t64", "t96", "t160"}) {
    SCOPED_TRACE(name);
    auto golden = GoldenFile::open(oracle_folder() + "/goldens/model/" + name + ".safetensors");
    ASSERT_TRUE(golden.ok());
    Opened opened = open({name, ""});
    Difference difference;
    size_t agreed = 0, rows = 0;
    const size_t vocab = opened.model->config().vocab_size;
    for (const std::string& key : golden->names()) {
      if (!key.ends_with("/tokens") || key.starts_with("beyond-4096")) continue;
      const std::string c = key.substr(0, key.size() - 7);
      const auto ids = golden->i32(key);
      const std::vector<TokenId> tokens(ids.begin(), ids.end());
      SoloSequence sequence = make_sequence(*opened.model, tokens.size());
      const auto logits = run(*opened.model, sequence, tokens);
      const auto positions = golden->i32(c + "/positions");
      const auto want = golden->f32(c + "/logits");
      for (size_t p = 0; p < positions.size(); ++p) {
        const std::span got(&logits[positions[p] * vocab], vocab);
        difference.add(got, want.subspan(p * vocab, vocab));
        agreed += argmax(got) == argmax(want.subspan(p * vocab, vocab));
        ++rows;
      }
    }
    const bool exact = precision() == kernels::Precision::kExact;
    EXPECT_LE(difference.mean(), exact ? 1e-3 : 0.1);
    EXPECT_GE(agreed, rows * (exact ? 99 : 90) / 100);
    RecordProperty("agreed_" + std::string(name), fmt::format("{} of {}", agreed, rows));
    RecordProperty("mean_" + std::string(name), std::to_string(difference.mean()));
    EXPECT_GT(opened.model->backend().counts(kernels::Op::kExperts).rounded, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RoundingOracle,
                         ::testing::Values("avx2_exact", "avx512_exact", "avx2_default", "avx512_default",
                                           "avx512bf16_default", "amx_default"),
                         backend_test_name);
INSTANTIATE_TEST_SUITE_P(All, Oracle, all_backends(), backend_test_name);

}  // namespace
}  // namespace gossamer::testing
