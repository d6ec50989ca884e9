#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/gguf_header_writer.h"
#include "checkpoint/safetensors_header.h"

namespace gossamer {
namespace {

using ::testing::ElementsAre;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(GgufHeaderWriter, OurOwnParserReadsWhatItWrote) {
  constexpr uint32_t kF32 = 0, kQ8_0 = 8;
  GgufHeaderWriter writer;
  writer.add_string("general.architecture", "gpt-oss");
  writer.add_uint32("a.count", 4'000'000'000u);
  writer.add_float32("a.number", 1e-5f);
  writer.add_strings("tokens", std::vector<std::string>{"", "Ġthe", std::string("\0x", 2)});
  writer.add_int32s("types", std::vector<int32_t>{1, -3});
  EXPECT_EQ(writer.add_tensor("vector", kF32, std::vector<uint64_t>{5}, 20), 0u);
  EXPECT_EQ(writer.add_tensor("matrix", kQ8_0, std::vector<uint64_t>{3, 64}, 3 * 68), 32u);
  EXPECT_EQ(writer.data_bytes(), 32u + 224u);

  const std::string head = writer.finish();
  const std::string file = head + std::string(writer.data_bytes(), '\0');
  const auto header = parse_gguf(bytes_of(file), "x.gguf");
  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->version, 3u);
  EXPECT_EQ(header->find("general.architecture")->as_string(), "gpt-oss");
  EXPECT_EQ(header->find("a.count")->as_uint(), 4'000'000'000u);
  EXPECT_EQ(header->find("a.number")->as_number(), 1e-5f);
  EXPECT_THAT(*header->find("tokens")->as_strings(), ElementsAre("", "Ġthe", std::string_view("\0x", 2)));
  EXPECT_THAT(*header->find("types")->as_integers(), ElementsAre(1, -3));
  ASSERT_EQ(header->tensors.size(), 2u);
  const GgufTensor& matrix = header->tensors[1];
  EXPECT_EQ(matrix.name, "matrix");
  EXPECT_EQ(matrix.type, kQ8_0);
  EXPECT_THAT(matrix.shape, ElementsAre(3, 64));
  EXPECT_EQ(matrix.begin, head.size() + 32);
  EXPECT_EQ(matrix.size_bytes, 3 * 68u);
}

TEST(SafetensorsHeader, OurOwnParserReadsWhatItWrote) {
  const std::vector<SafetensorsTensor> tensors = {
      {.name = "a \"quoted\" name", .dtype = "BF16", .shape = {2, 3}, .size_bytes = 12},
      {.name = "ü", .dtype = "U8", .shape = {}, .size_bytes = 1}};
  const std::string head = safetensors_header(tensors);
  EXPECT_EQ(head.size() % 8, 0u);
  const std::string file = head + std::string(13, '\0');
  const auto read = parse_safetensors(bytes_of(file), "x.safetensors");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read)[i].name, tensors[i].name);
    EXPECT_EQ((*read)[i].dtype, tensors[i].dtype);
    EXPECT_EQ((*read)[i].shape, tensors[i].shape);
    EXPECT_EQ((*read)[i].begin, head.size() + (i == 0 ? 0 : 12));
  }
}

}  // namespace
}  // namespace gossamer
