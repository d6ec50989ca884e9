#include "synthetic/preset.h"

#include <gtest/gtest.h>

#include "synthetic/gguf_plan.h"
#include "synthetic/hugging_face_plan.h"
#include "synthetic/model_parts.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer::synthetic {
namespace {

uint64_t parameters(const ModelConfig& config) {
  uint64_t all = 0;
  for (const ModelPart& part : model_parts(config)) {
    const uint64_t one = part.rows * std::max<uint64_t>(part.cols, 1);
    const bool is_experts = part.kind == PartKind::kGateUp || part.kind == PartKind::kDown;
    const uint64_t matrices = part.kind == PartKind::kGateUp ? 2 : 1;
    all += is_experts ? config.num_experts * matrices * (one + part.rows) : one;
  }
  return all;
}

TEST(Preset, EachIsAModelThatTheLoaderTakes) {
  ASSERT_FALSE(presets().empty());
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(check_config(preset.config, preset.name).ok());
    EXPECT_LE(preset.num_text_tokens + kO200kNamedTokens - kO200kTextTokens, preset.config.vocab_size);
    EXPECT_EQ(find_preset(preset.name), &preset);
  }
  EXPECT_EQ(find_preset("21b"), nullptr);
}

// The model card's numbers of parameters.
TEST(Preset, PublishedModelsHaveTheirParameters) {
  EXPECT_EQ(parameters(find_preset("20b")->config), 20'914'757'184u);
  EXPECT_EQ(parameters(find_preset("120b")->config), 116'829'156'672u);
}

TEST(Preset, FilesOf20bHaveTheSizeOfThePublishedOnes) {
  const PlannedFile gguf = plan_gguf(*find_preset("20b"), 0);
  EXPECT_NEAR(static_cast<double>(gguf.size_bytes), 12.11e9, 0.01e9);
  const std::vector<PlannedFile> files = plan_hugging_face(*find_preset("20b"), 0);
  EXPECT_EQ(files.front().name, "model-00000-of-00002.safetensors");
  uint64_t weight_bytes = 0;
  for (const PlannedFile& file : files) {
    if (file.name.ends_with(".safetensors")) weight_bytes += file.size_bytes;
    EXPECT_TRUE(is_hugging_face_file(file.name)) << file.name;
  }
  EXPECT_NEAR(static_cast<double>(weight_bytes), 13.76e9, 0.01e9);
}

}  // namespace
}  // namespace gossamer::synthetic
