#include "checkpoint/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "checkpoint/ggml_types.h"
#include "checkpoint/tiny_gguf.h"

namespace gossamer::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

template <class T>
std::string encoded(GgufType type, T value) {
  const uint32_t number = static_cast<uint32_t>(type);
  return std::string(reinterpret_cast<const char*>(&number), sizeof(number)) +
         std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// A file with one value, parsed; the bytes live as long as this.
class OneValue {
 public:
  explicit OneValue(std::string value) {
    GgufFile file;
    file.set("key", std::move(value));
    bytes_ = file.bytes();
    header_ = *parse_gguf(std::as_bytes(std::span(bytes_)), "x.gguf");
  }
  const GgufValue& operator*() const { return *header_.find("key"); }
  const GgufValue* operator->() const { return header_.find("key"); }

 private:
  std::string bytes_;
  GgufHeader header_;
};

TEST(GgufValue, WholeNumbersOfEveryWidth) {
  EXPECT_THAT(OneValue(encoded<uint8_t>(GgufType::kUint8, 200))->as_uint(), Optional(200));
  EXPECT_THAT(OneValue(encoded<int8_t>(GgufType::kInt8, 100))->as_uint(), Optional(100));
  EXPECT_THAT(OneValue(encoded<uint16_t>(GgufType::kUint16, 60000))->as_uint(), Optional(60000));
  EXPECT_THAT(OneValue(encoded<int16_t>(GgufType::kInt16, 30000))->as_uint(), Optional(30000));
  EXPECT_THAT(OneValue(encoded<uint32_t>(GgufType::kUint32, 4000000000u))->as_uint(), Optional(4000000000u));
  EXPECT_THAT(OneValue(encoded<int32_t>(GgufType::kInt32, 7))->as_uint(), Optional(7));
  EXPECT_THAT(OneValue(encoded<uint64_t>(GgufType::kUint64, ~uint64_t{0}))->as_uint(), Optional(~uint64_t{0}));
  EXPECT_THAT(OneValue(encoded<int64_t>(GgufType::kInt64, 1))->as_uint(), Optional(1));
  EXPECT_THAT(OneValue(encoded<uint8_t>(GgufType::kBool, 1))->as_uint(), Optional(1));
}

TEST(GgufValue, WhatIsNoWholeNumberIsNotReadAsOne) {
  EXPECT_EQ(OneValue(encoded<int8_t>(GgufType::kInt8, -1))->as_uint(), std::nullopt);
  EXPECT_EQ(OneValue(encoded<int64_t>(GgufType::kInt64, -1))->as_uint(), std::nullopt);
  EXPECT_EQ(OneValue(gguf_float32(1))->as_uint(), std::nullopt);
  EXPECT_EQ(OneValue(gguf_string("1"))->as_uint(), std::nullopt);
  EXPECT_EQ(OneValue(gguf_int32s({1}))->as_uint(), std::nullopt);
}

TEST(GgufValue, Numbers) {
  EXPECT_THAT(OneValue(gguf_float32(.5f))->as_number(), Optional(.5));
  EXPECT_THAT(OneValue(encoded<double>(GgufType::kFloat64, 1e300))->as_number(), Optional(1e300));
  EXPECT_THAT(OneValue(encoded<int16_t>(GgufType::kInt16, -5))->as_number(), Optional(-5.));
  EXPECT_THAT(OneValue(encoded<uint64_t>(GgufType::kUint64, uint64_t{1} << 63))->as_number(), Optional(0x1p63));
  EXPECT_EQ(OneValue(gguf_string("1"))->as_number(), std::nullopt);
}

TEST(GgufValue, StringsAndLists) {
  EXPECT_THAT(OneValue(gguf_string("yarn"))->as_string(), Optional(std::string_view("yarn")));
  EXPECT_EQ(OneValue(gguf_uint32(1))->as_string(), std::nullopt);
  EXPECT_THAT(OneValue(gguf_strings({"a", "", "b c"}))->as_strings(), Optional(ElementsAre("a", "", "b c")));
  EXPECT_EQ(OneValue(gguf_string("a"))->as_strings(), std::nullopt);
  EXPECT_THAT(OneValue(gguf_int32s({1, -2}))->as_integers(), Optional(ElementsAre(1, -2)));
  EXPECT_EQ(OneValue(gguf_strings({"a"}))->as_integers(), std::nullopt);
  EXPECT_EQ(OneValue(gguf_uint32(1))->as_integers(), std::nullopt);
}

TEST(GgufValue, Text) {
  EXPECT_EQ(OneValue(gguf_uint32(4))->text(), "4");
  EXPECT_EQ(OneValue(encoded<int8_t>(GgufType::kInt8, -1))->text(), "-1");
  EXPECT_EQ(OneValue(gguf_float32(4))->text(), "4.0");
  EXPECT_EQ(OneValue(gguf_float32(INFINITY))->text(), "inf");
  EXPECT_EQ(OneValue(gguf_string("a\nb"))->text(), "\"a?b\"");
  EXPECT_EQ(OneValue(gguf_strings({"a", "b"}))->text(), "an array of 2 strings");
}

TEST(GgmlTypes, BlocksAreThoseOfTheDtype) {
  for (uint32_t number = 0; number < 100; ++number) {
    const GgmlType* type = find_ggml_type(number);
    if (!type || !type->dtype) continue;
    EXPECT_EQ(row_bytes(*type->dtype, 32), 32 / type->block_elements * type->block_bytes) << type->name;
    EXPECT_EQ(type->name, dtype_name(*type->dtype));
  }
  EXPECT_EQ(find_ggml_type(39)->dtype, Dtype::kMxfp4);
  EXPECT_EQ(find_ggml_type(kEarlyOllamaMxfp4)->dtype, std::nullopt);
  EXPECT_EQ(find_ggml_type(~uint32_t{0}), nullptr);
}

}  // namespace
}  // namespace gossamer::testing
