#include "synthetic/write_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/mmap_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/temp_folder.h"
#include "checkpoint/view_values.h"
#include "synthetic/hugging_face_plan.h"
#include "synthetic/write_tensors.h"
#include "tokenizer/o200k_harmony.h"

namespace gossamer::synthetic {
namespace {

using gossamer::testing::TempFolder;
using gossamer::testing::values_of;

ModelRequest tiny(const std::string& path, ModelFormat format, uint64_t seed = 0, unsigned num_threads = 3) {
  return {.path = path, .preset = *find_preset("tiny"), .format = format, .seed = seed, .num_threads = num_threads};
}

Result<WrittenModel> write(const ModelRequest& request) {
  return write_model(request, {}, [] { return true; });
}

std::string bytes_of(const std::string& path) {
  auto text = read_file(path, 1 << 30);
  return text.ok() ? *std::move(text) : text.error().message;
}

/// Every number of a model, tensor by tensor.
std::vector<std::vector<float>> numbers_of(const Checkpoint& checkpoint) {
  std::vector<std::vector<float>> numbers;
  const auto add = [&](const auto& view) { numbers.push_back(values_of(view)); };
  const ModelTensors& t = checkpoint.tensors();
  add(t.embedding);
  for (const LayerTensors& layer : t.layers) {
    for (const MatrixView* view :
         {&layer.attn_norm, &layer.q, &layer.k, &layer.v, &layer.q_bias, &layer.k_bias, &layer.v_bias, &layer.sinks,
          &layer.o, &layer.o_bias, &layer.mlp_norm, &layer.router, &layer.router_bias})
      add(*view);
    for (const ExpertMatrixView* view : {&layer.gate, &layer.up, &layer.down}) add(*view);
    for (const ExpertBiasView* view : {&layer.gate_bias, &layer.up_bias, &layer.down_bias}) add(*view);
  }
  add(t.final_norm);
  add(t.lm_head);
  return numbers;
}

double deviation(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += double{value} * value;
  }
  const double mean = sum / static_cast<double>(values.size());
  return std::sqrt(squares / static_cast<double>(values.size()) - mean * mean);
}

TEST(WriteModel, OurOwnLoaderReadsBothFormatsAndFindsTheSameNumbers) {
  const TempFolder folder;
  const auto file = write(tiny(folder / "m.gguf", ModelFormat::kGguf));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->size_bytes, std::filesystem::file_size(folder / "m.gguf"));
  ASSERT_TRUE(write(tiny(folder / "m", ModelFormat::kSafetensors)).ok());
  const auto gguf = Checkpoint::open(folder / "m.gguf"), safetensors = Checkpoint::open(folder / "m");
  ASSERT_TRUE(gguf.ok()) << gguf.error().message;
  ASSERT_TRUE(safetensors.ok()) << safetensors.error().message;
  EXPECT_EQ(gguf->config().vocab_size, 512u);
  EXPECT_EQ(gguf->tensors().lm_head.dtype, Dtype::kQ8_0);
  EXPECT_EQ(safetensors->tensors().lm_head.dtype, Dtype::kBf16);
  EXPECT_EQ(gguf->tensors().layers[1].up.layout, Mxfp4Layout::kGgml);
  EXPECT_EQ(safetensors->tensors().layers[1].up.layout, Mxfp4Layout::kSplit);

  const auto in_gguf = numbers_of(*gguf), in_safetensors = numbers_of(*safetensors);
  ASSERT_EQ(in_gguf.size(), in_safetensors.size());
  for (size_t i = 0; i < in_gguf.size(); ++i) {
    EXPECT_TRUE(in_gguf[i] == in_safetensors[i]) << "tensor " << i;
    EXPECT_GT(deviation(in_gguf[i]), 0) << "tensor " << i;
  }
}

TEST(WriteModel, BothFormatsHaveTheSameTokenizerAndStops) {
  const TempFolder folder;
  ASSERT_TRUE(write(tiny(folder / "m.gguf", ModelFormat::kGguf)).ok());
  ASSERT_TRUE(write(tiny(folder / "m", ModelFormat::kSafetensors)).ok());
  for (const char* name : {"m.gguf", "m"}) {
    const auto checkpoint = Checkpoint::open(folder / name);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
    const auto tokenizer = checkpoint->load_tokenizer();
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
    EXPECT_EQ((*tokenizer)->head_rows(), 512u);
    EXPECT_EQ((*tokenizer)->special("<|return|>"), 484u);
    EXPECT_EQ((*tokenizer)->kind(511), TokenKind::kUnnamed);
    EXPECT_THAT(checkpoint->generation().eos_ids, ::testing::IsSupersetOf({484u, 494u}));
    const std::vector<TokenId> ids = (*tokenizer)->encode("The capital of France is Paris.");
    EXPECT_LT(ids.size(), 20u);  // 31 bytes: merges took place
    EXPECT_EQ((*tokenizer)->decode_bytes(ids), "The capital of France is Paris.");
  }
}

TEST(WriteModel, WeightsKeepActivationsNearOne) {
  const TempFolder folder;
  ASSERT_TRUE(write(tiny(folder / "m.gguf", ModelFormat::kGguf)).ok());
  const auto checkpoint = Checkpoint::open(folder / "m.gguf");
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_NEAR(deviation(values_of(checkpoint->tensors().embedding)), 1, .5);
  EXPECT_NEAR(deviation(values_of(checkpoint->tensors().lm_head)) * std::sqrt(128), 1, .5);
  const LayerTensors& layer = checkpoint->tensors().layers[0];
  for (const MatrixView& view : {layer.q, layer.v, layer.o, layer.router})
    EXPECT_NEAR(deviation(values_of(view)) * std::sqrt(view.cols), 1, .5);
  for (const ExpertMatrixView& view : {layer.gate, layer.up, layer.down})
    EXPECT_NEAR(deviation(values_of(view)) * std::sqrt(view.cols), 1, .5);
}

TEST(WriteModel, TheSeedAloneDecides) {
  const TempFolder folder;
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kSafetensors}) {
    const std::string file = format == ModelFormat::kGguf ? "" : "/model.safetensors";
    const std::string one = folder / "one", three = folder / "three", other = folder / "other";
    ASSERT_TRUE(write(tiny(one, format, 7, 1)).ok());
    ASSERT_TRUE(write(tiny(three, format, 7, 3)).ok());
    ASSERT_TRUE(write(tiny(other, format, 8, 3)).ok());
    EXPECT_TRUE(bytes_of(one + file) == bytes_of(three + file));
    EXPECT_FALSE(bytes_of(one + file) == bytes_of(other + file));
    for (const std::string& path : {one, three, other}) std::filesystem::remove_all(path);
  }
}

TEST(WriteModel, ManyFilesAreFoundByTheirIndex) {
  const TempFolder folder;
  ThreadPool pool(2);
  const std::vector<PlannedFile> files = plan_hugging_face(*find_preset("tiny"), 0, 200'000);
  for (const PlannedFile& file : files)
    ASSERT_TRUE(write_planned_file(file, folder / file.name, pool, [](uint64_t) { return true; }).ok());
  ASSERT_TRUE(write(tiny(folder / "one", ModelFormat::kSafetensors)).ok());
  const auto many = Checkpoint::open(folder.path()), one = Checkpoint::open(folder / "one");
  ASSERT_TRUE(many.ok()) << many.error().message;
  ASSERT_TRUE(one.ok());
  EXPECT_GT(many->files().size(), 3u);
  EXPECT_TRUE(numbers_of(*many) == numbers_of(*one));
}

TEST(WriteModel, AStoppedOneLeavesNothing) {
  const TempFolder folder;
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kSafetensors}) {
    int calls = 0;
    const auto model = write_model(tiny(folder / "m", format), {}, [&] { return ++calls < 2; });
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().code, ErrorCode::kCancelled);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(WriteModel, ProgressEndsAtTheWhole) {
  const TempFolder folder;
  uint64_t last = 0, whole = 1;
  const auto progress = [&](std::string_view, uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    last = done;
    whole = total;
  };
  const auto model = write_model(tiny(folder / "m", ModelFormat::kSafetensors), progress, [] { return true; });
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(last, whole);
  EXPECT_EQ(whole, model->size_bytes);
}

}  // namespace
}  // namespace gossamer::synthetic
