#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>

#include "checkpoint/checkpoint.h"
#include "checkpoint/temp_folder.h"
#include "checkpoint/tiny_checkpoint.h"
#include "checkpoint/tiny_gguf.h"
#include "checkpoint/view_values.h"

namespace gossamer::testing {
namespace {

using ::testing::ElementsAre;
using Values = std::map<std::string, std::vector<float>>;

/// Every tensor of a model as numbers.
Values all_values(const ModelTensors& tensors) {
  Values values{{"embedding", values_of(tensors.embedding)},
                {"final_norm", values_of(tensors.final_norm)},
                {"lm_head", values_of(tensors.lm_head)}};
  for (size_t layer = 0; layer < tensors.layers.size(); ++layer) {
    const LayerTensors& t = tensors.layers[layer];
    const auto add = [&](const char* name, const auto& view) {
      values[fmt::format("{}.{}", layer, name)] = values_of(view);
    };
    add("attn_norm", t.attn_norm), add("q", t.q), add("k", t.k), add("v", t.v);
    add("q_bias", t.q_bias), add("k_bias", t.k_bias), add("v_bias", t.v_bias), add("sinks", t.sinks), add("o", t.o),
        add("o_bias", t.o_bias);
    add("mlp_norm", t.mlp_norm), add("router", t.router), add("router_bias", t.router_bias);
    add("gate", t.gate), add("up", t.up), add("down", t.down);
    add("gate_bias", t.gate_bias), add("up_bias", t.up_bias), add("down_bias", t.down_bias);
  }
  return values;
}

Checkpoint open(const std::string& path) {
  auto checkpoint = Checkpoint::open(path);
  if (!checkpoint.ok()) {
    ADD_FAILURE() << checkpoint.error().message;
    std::abort();
  }
  return std::move(*checkpoint);
}

void expect_same_config(const ModelConfig& a, const ModelConfig& b) {
  EXPECT_EQ(a.num_layers, b.num_layers);
  EXPECT_EQ(a.hidden, b.hidden);
  EXPECT_EQ(a.intermediate, b.intermediate);
  EXPECT_EQ(a.num_heads, b.num_heads);
  EXPECT_EQ(a.num_kv_heads, b.num_kv_heads);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.num_experts, b.num_experts);
  EXPECT_EQ(a.experts_per_token, b.experts_per_token);
  EXPECT_EQ(a.vocab_size, b.vocab_size);
  EXPECT_EQ(a.sliding_window, b.sliding_window);
  EXPECT_EQ(a.original_context, b.original_context);
  EXPECT_EQ(a.max_context, b.max_context);
  EXPECT_EQ(a.rope_theta, b.rope_theta);
  EXPECT_EQ(a.rope_factor, b.rope_factor);
  EXPECT_EQ(a.rope_beta_fast, b.rope_beta_fast);
  EXPECT_EQ(a.rope_beta_slow, b.rope_beta_slow);
  EXPECT_EQ(a.rms_norm_eps, b.rms_norm_eps);
  EXPECT_EQ(a.swiglu_limit, b.swiglu_limit);
}

/// One model in the Hugging Face layout, which the others are compared with.
class LayoutsTest : public ::testing::Test {
 protected:
  void SetUp() override { write_hugging_face(folder_ / "model", config_, kSeed); }

  void expect_same_model(const std::string& path) {
    const Checkpoint reference = open(folder_ / "model"), other = open(path);
    expect_same_config(reference.config(), other.config());
    EXPECT_EQ(all_values(reference.tensors()), all_values(other.tensors()));
  }

  static constexpr uint64_t kSeed = 7;
  TempFolder folder_;
  ModelConfig config_ = tiny_config();
};

TEST_F(LayoutsTest, TheHuggingFaceLayoutGivesWhatWasWritten) {
  const Checkpoint checkpoint = open(folder_ / "model");
  expect_same_config(checkpoint.config(), config_);
  EXPECT_EQ(checkpoint.format(), CheckpointFormat::kHuggingFace);
  EXPECT_EQ(checkpoint.name(), "model");
  EXPECT_EQ(checkpoint.stored_tensors().size(), 41u);
  EXPECT_THAT(checkpoint.generation().eos_ids, ElementsAre(79));

  // Row 0 of an interleaved gate_up is gate 0, row 1 is up 0: against the bytes, not through a view.
  const auto tensors = hugging_face_tensors(config_, kSeed);
  const auto bias = std::ranges::find(tensors, "model.layers.1.mlp.experts.gate_up_proj_bias", &FileTensor::name);
  const LayerTensors& layer = checkpoint.tensors().layers[1];
  const auto gate = values_of(layer.gate_bias), up = values_of(layer.up_bias);
  for (size_t i = 0; i < gate.size(); ++i) {
    uint16_t bits[2];
    std::memcpy(bits, bias->bytes.data() + 4 * i, sizeof(bits));
    EXPECT_EQ(gate[i], bf16_to_f32(bits[0])) << i;
    EXPECT_EQ(up[i], bf16_to_f32(bits[1])) << i;
  }
}

TEST_F(LayoutsTest, ShardsWithAnIndexAreTheSameModel) {
  for (uint32_t shards : {2u, 3u, 7u}) {
    write_hugging_face(folder_ / fmt::format("sharded-{}", shards), config_, kSeed, shards);
    expect_same_model(folder_ / fmt::format("sharded-{}", shards));
  }
}

TEST_F(LayoutsTest, TheOriginalLayoutIsTheSameModel) {
  write_original(folder_ / "original-only/original", config_, kSeed);
  expect_same_model(folder_ / "original-only/original");
  expect_same_model(folder_ / "original-only");  // nothing at the top: the subfolder counts
  EXPECT_EQ(open(folder_ / "original-only").name(), "original-only");
  EXPECT_EQ(open(folder_ / "original-only").format(), CheckpointFormat::kOriginal);
}

TEST_F(LayoutsTest, TheTopOfTheFolderIsPreferredToOriginal) {
  write_original(folder_ / "model/original", config_, kSeed + 1);
  expect_same_model(folder_ / "model");
  EXPECT_EQ(open(folder_ / "model").format(), CheckpointFormat::kHuggingFace);
}

TEST_F(LayoutsTest, GgufOfEveryFlavourIsTheSameModel) {
  for (auto flavour : {GgufFlavour::kLlamaCpp, GgufFlavour::kOllama, GgufFlavour::kOllamaFused}) {
    write_file(folder_ / "x.gguf", gguf_model(config_, kSeed, flavour).bytes());
    expect_same_model(folder_ / "x.gguf");
  }
}

TEST_F(LayoutsTest, GgufVersionTwoIsReadToo) {
  GgufFile file = gguf_model(config_, kSeed);
  file.version = 2;
  write_file(folder_ / "x.gguf", file.bytes());
  expect_same_model(folder_ / "x.gguf");
}

TEST_F(LayoutsTest, AnyAlignmentIsTheSameModel) {
  for (uint32_t alignment : {1u, 8u, 4096u}) {
    GgufFile file = gguf_model(config_, kSeed);
    file.alignment = alignment;
    file.set("general.alignment", gguf_uint32(alignment));
    write_file(folder_ / "x.gguf", file.bytes());
    expect_same_model(folder_ / "x.gguf");
  }
}

TEST_F(LayoutsTest, SplitGgufIsTheSameModel) {
  write_split_gguf(folder_ / "part", gguf_model(config_, kSeed), 3);
  expect_same_model(folder_ / "part-00001-of-00003.gguf");
  EXPECT_EQ(open(folder_ / "part-00001-of-00003.gguf").files().size(), 3u);
}

TEST_F(LayoutsTest, RopeParametersOfNewerTransformersAreRead) {
  json::object config = hugging_face_config(config_);
  json::object rope = config["rope_scaling"].as_object();
  rope["rope_theta"] = config["rope_theta"];
  config.erase("rope_scaling");
  config.erase("rope_theta");
  config.erase("initial_context_length");
  config["rope_parameters"] = rope;
  write_file(folder_ / "model/config.json", json::serialize(config));
  expect_same_config(open(folder_ / "model").config(), config_);
}

TEST_F(LayoutsTest, TheEndOfGenerationComesFromWhicheverFileNamesIt) {
  write_file(folder_ / "model/generation_config.json",
             R"({"eos_token_id": [5, 6], "temperature": 0.5, "top_k": 9, "do_sample": false})");
  const GenerationDefaults defaults = open(folder_ / "model").generation();
  EXPECT_THAT(defaults.eos_ids, ElementsAre(5, 6));
  EXPECT_EQ(defaults.temperature, .5f);
  EXPECT_EQ(defaults.top_k, 9u);
  EXPECT_FALSE(defaults.do_sample);
  write_file(folder_ / "model/generation_config.json", "{}");
  EXPECT_THAT(open(folder_ / "model").generation().eos_ids, ElementsAre(79));

  GgufFile file = gguf_model(config_, kSeed);
  file.set("tokenizer.ggml.eos_token_id", gguf_uint32(3));
  file.set("tokenizer.ggml.eos_token_ids", gguf_int32s({3, 4}));
  write_file(folder_ / "x.gguf", file.bytes());
  EXPECT_THAT(open(folder_ / "x.gguf").generation().eos_ids,
              ElementsAre(3, 4, 78, 79));  // <|call|> and <|return|> by name
}

TEST_F(LayoutsTest, NothingIsCopied) {
  const Checkpoint checkpoint = open(folder_ / "model");
  const auto bytes = checkpoint.files().front().bytes();
  const std::byte* data = checkpoint.tensors().layers[0].down.data;
  EXPECT_GE(data, bytes.data());
  EXPECT_LT(data, bytes.data() + bytes.size());
}

TEST_F(LayoutsTest, ProgressEndsAtTheNumberOfFiles) {
  write_hugging_face(folder_ / "sharded", config_, kSeed, 3);
  std::vector<uint64_t> done;
  const auto checkpoint = Checkpoint::open(folder_ / "sharded", [&](std::string_view, uint64_t at, uint64_t total) {
    EXPECT_EQ(total, 3u);
    done.push_back(at);
  });
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_THAT(done, ElementsAre(0, 1, 2, 3));
}

/// The models that another implementation wrote.
class OracleModelsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(OracleModelsTest, SafetensorsAndGgufAreTheSameModel) {
  const std::string folder = std::string(GOSSAMER_SHARED_DIR) + "/oracle/models/" + GetParam();
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no oracle models beside this checkout";
  const Checkpoint safetensors = open(folder), gguf = open(folder + "/" + GetParam() + ".gguf");
  expect_same_config(safetensors.config(), gguf.config());
  EXPECT_EQ(safetensors.generation().eos_ids, gguf.generation().eos_ids);
  EXPECT_EQ(all_values(safetensors.tensors()), all_values(gguf.tensors()));
}

INSTANTIATE_TEST_SUITE_P(Models, OracleModelsTest, ::testing::Values("t64", "t96", "t160", "t192"));

TEST(OracleModels, Q8MatricesAreWithinHalfAStepOfTheirBlock) {
  const std::string folder = std::string(GOSSAMER_SHARED_DIR) + "/oracle/models/t96";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no oracle models beside this checkout";
  const Checkpoint exact = open(folder), q8 = open(folder + "/t96-q8_0.gguf");
  const auto a = values_of(exact.tensors().layers[2].o), b = values_of(q8.tensors().layers[2].o);
  EXPECT_EQ(q8.tensors().layers[2].o.dtype, Dtype::kQ8_0);
  for (size_t block = 0; block < a.size(); block += kBlockElements) {
    float largest = 0;
    for (size_t i = block; i < block + kBlockElements; ++i) largest = std::max(largest, std::abs(a[i]));
    // half a step of largest / 127, and the rounding of that step to 11 bits over 127 steps
    for (size_t i = block; i < block + kBlockElements; ++i)
      EXPECT_NEAR(a[i], b[i], largest * (.5f / 127 + 0x1p-11f)) << i;
  }
}

}  // namespace
}  // namespace gossamer::testing
