/// Files with random bytes changed: they open or give a sentence, and whatever opens lies inside its files.

#include <gtest/gtest.h>

#include <random>

#include "checkpoint/broken_model.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/summary.h"
#include "checkpoint/temp_folder.h"

namespace gossamer::testing {
namespace {

constexpr int kRounds = 400;

/// True where [data, data + size) lies in one of the mapped files.
bool is_inside(const std::vector<MmapFile>& files, const std::byte* data, uint64_t size) {
  return std::ranges::any_of(files, [&](const MmapFile& file) {
    const std::byte* begin = file.bytes().data();
    return data >= begin && size <= file.size_bytes() && data - begin <= static_cast<int64_t>(file.size_bytes() - size);
  });
}

/// How many of the model's views reach out of its files.
int views_outside(const Checkpoint& checkpoint) {
  int outside = 0;
  const auto check = [&](const std::byte* data, uint64_t size) {
    outside += is_inside(checkpoint.files(), data, size) ? 0 : 1;
  };
  const auto check_matrix = [&](const MatrixView& view) { check(view.data, view.size_bytes()); };
  const auto check_experts = [&](const ExpertMatrixView& view) {
    const uint64_t rows = view.experts * view.stored_rows, blocks = rows * view.cols / kBlockElements;
    const bool split = view.scales != nullptr;
    check(view.data, split ? blocks * kMxfp4SplitBlockBytes : rows * row_bytes(view.dtype, view.cols));
    if (split) check(view.scales, blocks);
  };
  const auto check_bias = [&](const ExpertBiasView& view) {
    check(view.data, row_bytes(view.dtype, view.experts * view.stored_rows));
  };
  const ModelTensors& tensors = checkpoint.tensors();
  check_matrix(tensors.embedding), check_matrix(tensors.final_norm), check_matrix(tensors.lm_head);
  for (const LayerTensors& t : tensors.layers) {
    for (const MatrixView* view : {&t.attn_norm, &t.q, &t.k, &t.v, &t.q_bias, &t.k_bias, &t.v_bias, &t.sinks, &t.o,
                                   &t.o_bias, &t.mlp_norm, &t.router, &t.router_bias})
      check_matrix(*view);
    for (const ExpertMatrixView* view : {&t.gate, &t.up, &t.down}) check_experts(*view);
    for (const ExpertBiasView* view : {&t.gate_bias, &t.up_bias, &t.down_bias}) check_bias(*view);
  }
  return outside;
}

/// Changes one to four of the first `range` bytes, mostly to values that mean something in numbers and JSON.
std::string flipped(std::string bytes, size_t range, std::mt19937& random) {
  constexpr std::string_view kBytes("\x00\x01\x02\x7f\x80\xff 019-,[]{}\":", 19);
  for (uint32_t flips = 1 + random() % 4; flips > 0; --flips)
    bytes[random() % std::min(range, bytes.size())] =
        random() % 2 == 0 ? static_cast<char>(random()) : kBytes[random() % kBytes.size()];
  return bytes;
}

/// Opens what a round wrote. Returns whether it opened; a sentence must have something to say.
bool open_and_check(const std::string& path) {
  const auto checkpoint = Checkpoint::open(path);
  if (!checkpoint.ok()) {
    EXPECT_GT(checkpoint.error().message.size(), 10u);
    return false;
  }
  EXPECT_EQ(views_outside(*checkpoint), 0);
  EXPECT_FALSE(show_text(*checkpoint).empty());
  return true;
}

TEST(FlippedBytes, InAGgufFile) {
  const TempFolder folder;
  const std::string bytes = gguf_model(tiny_config(), 1).bytes();
  const size_t header_bytes = bytes.size() - 161152;  // what stands before the data
  std::mt19937 random(1);
  int opened = 0;
  for (int round = 0; round < kRounds; ++round) {
    write_file(folder / "x.gguf", flipped(bytes, header_bytes, random));
    opened += open_and_check(folder / "x.gguf") ? 1 : 0;
  }
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, kRounds);
}

TEST(FlippedBytes, InAFolder) {
  const TempFolder folder;
  hugging_face_model().write(folder.path());
  const std::string weights = *read_file(folder / "model.safetensors", 1 << 20);
  const std::string config = *read_file(folder / "config.json", 1 << 20);
  std::mt19937 random(2);
  int opened = 0;
  for (int round = 0; round < kRounds; ++round) {
    const bool in_config = round % 4 == 0;
    write_file(folder / "model.safetensors", in_config ? weights : flipped(weights, weights.size() - 154528, random));
    write_file(folder / "config.json", in_config ? flipped(config, config.size(), random) : config);
    opened += open_and_check(folder.path()) ? 1 : 0;
  }
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, kRounds);
}

TEST(CutFiles, AtAnyByteGiveASentence) {
  const TempFolder folder;
  const std::string gguf = gguf_model(tiny_config(), 1).bytes();
  for (size_t size = 0; size < gguf.size(); size += size < 4800 ? 17 : 9973) {
    write_file(folder / "x.gguf", gguf.substr(0, size));
    EXPECT_FALSE(open_and_check(folder / "x.gguf")) << size;
  }
  hugging_face_model().write(folder.path());
  const std::string weights = *read_file(folder / "model.safetensors", 1 << 20);
  for (size_t size = 0; size < weights.size(); size += size < 4200 ? 17 : 9973) {
    write_file(folder / "model.safetensors", weights.substr(0, size));
    EXPECT_FALSE(open_and_check(folder.path())) << size;
  }
}

}  // namespace
}  // namespace gossamer::testing
