/// What people read when a GGUF file is broken: each case breaks a valid tiny model in one place and gives the
/// sentence.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "checkpoint/broken_model.h"
#include "checkpoint/temp_folder.h"

namespace gossamer::testing {
namespace {

/// Changes the description before the file is written, or its bytes after.
struct Break {
  std::function<void(GgufFile&)> model = [](GgufFile&) {};
  std::function<void(std::string&)> bytes = [](std::string&) {};
};

struct Case {
  const char* name;
  Break break_it;
  std::string sentence;
};

void PrintTo(const Case& broken, std::ostream* out) {
  *out << broken.name;
}

Break in_model(std::function<void(GgufFile&)> edit) {
  return {.model = std::move(edit)};
}
Break in_bytes(std::function<void(std::string&)> edit) {
  return {.bytes = std::move(edit)};
}

Break cut_to(size_t size) {
  return in_bytes([=](std::string& bytes) { bytes.resize(size); });
}

/// The position right after the first `text`.
size_t after(const std::string& bytes, const std::string& text) {
  const size_t at = bytes.find(text);
  EXPECT_NE(at, std::string::npos);
  return at + text.size();
}

Break cut_after(std::string text, size_t distance) {
  return in_bytes([=](std::string& bytes) { bytes.resize(after(bytes, text) + distance); });
}

template <class T>
Break put(size_t at, T value) {
  return in_bytes([=](std::string& bytes) { std::memcpy(bytes.data() + at, &value, sizeof(value)); });
}

template <class T>
Break put_after(std::string text, size_t distance, T value) {
  return in_bytes(
      [=](std::string& bytes) { std::memcpy(bytes.data() + after(bytes, text) + distance, &value, sizeof(value)); });
}

Break set(std::string key, std::string value) {
  return in_model([=](GgufFile& model) { model.set(key, value); });
}

Break erase(std::string key) {
  return in_model([=](GgufFile& model) { model.erase(key); });
}

Break erase_tensor(std::string name) {
  return in_model(
      [=](GgufFile& model) { std::erase_if(model.tensors, [&](const auto& tensor) { return tensor.name == name; }); });
}

/// Gives a tensor another type and shape, and data of `size_bytes`.
Break reshape(std::string name, uint32_t type, std::vector<uint64_t> shape, size_t size_bytes) {
  return in_model([=](GgufFile& model) { model.tensor(name) = {name, type, shape, std::string(size_bytes, 'x')}; });
}

// A value follows its key: its type (4 bytes), then the data; an array: type of the elements (4) and their number (8).
// A tensor's name is followed by the number of dimensions (4), the dimensions (8 each), the type (4) and the offset
// (8).
constexpr const char* kNorm = "output_norm.weight";
constexpr size_t kNormShape = 4, kNormType = 12, kNormOffset = 16;

const Case kHeader[] = {
    {"Empty", cut_to(0), R"(DIR/x.gguf is not a GGUF file: it does not start with "GGUF")"},
    {"NotGguf", in_bytes([](std::string& bytes) { bytes = "<html><body>404 Not Found</body></html>"; }),
     R"(DIR/x.gguf is not a GGUF file: it does not start with "GGUF")"},
    {"OnlyTheMagic", cut_to(4),
     "DIR/x.gguf: the file ends at byte 4 inside its header: it is cut short or corrupt; download it again"},
    {"Version1", put<uint32_t>(4, 1),
     "DIR/x.gguf is GGUF version 1, but gossamer reads versions 2 and 3 in little endian"},
    {"BigEndian", put<uint32_t>(4, 0x03000000),
     "DIR/x.gguf is a big-endian GGUF file, but gossamer reads versions 2 and 3 in little endian"},
    {"AbsurdTensors", put<uint64_t>(8, ~uint64_t{0}),
     "DIR/x.gguf: the header claims 18446744073709551615 tensors and 25 values, more than the file's 165952 bytes can "
     "hold"},
    {"AbsurdValues", put<uint64_t>(16, uint64_t{1} << 60),
     "DIR/x.gguf: the header claims 41 tensors and 1152921504606846976 values, more than the file's 165952 bytes can "
     "hold"},
    {"CutInAKey", cut_to(30),
     "DIR/x.gguf: the header claims 41 tensors and 25 values, more than the file's 30 bytes can hold"},
    {"CutInAValue", cut_after("general.architecture", 2),
     "DIR/x.gguf: the header claims 41 tensors and 25 values, more than the file's 54 bytes can hold"},
    {"CutInTheTensors", cut_after(kNorm, 2),
     "DIR/x.gguf: the file ends at byte 4720 inside output_norm.weight: it is cut short or corrupt; download it again"},
    {"CutInTheData", in_bytes([](std::string& bytes) { bytes.pop_back(); }),
     "DIR/x.gguf: tensor output.weight takes 10240 bytes at offset 150912 of the data, which starts at byte 4800, but "
     "the file has 165951 bytes: it is cut short or corrupt; download it again"},
    {"KeyLongerThanTheFile", put<uint64_t>(24, uint64_t{1} << 62),
     "DIR/x.gguf: the file ends at byte 165952 inside the key of value 1 of 25: it is cut short or corrupt; download "
     "it again"},
    {"UnknownValueType", put_after<uint32_t>("gpt-oss.block_count", 0, 13),
     "DIR/x.gguf: gpt-oss.block_count has the unknown type 13; types 0 to 12 are known"},
    {"AbsurdArray", put_after<uint64_t>("tokenizer.ggml.token_type", 8, uint64_t{1} << 61),
     "DIR/x.gguf: tokenizer.ggml.token_type claims 2305843009213693952 elements, but 164026 bytes are left in the "
     "file"},
    {"AbsurdStrings", put_after<uint64_t>("tokenizer.ggml.tokens", 8, uint64_t{1} << 61),
     "DIR/x.gguf: tokenizer.ggml.tokens claims 2305843009213693952 elements, but 164957 bytes are left in the file"},
    {"StringOfAnArrayTooLong", put_after<uint64_t>("tokenizer.ggml.tokens", 16, uint64_t{1} << 40),
     "DIR/x.gguf: the file ends at byte 165952 inside string 1 of tokenizer.ggml.tokens: it is cut short or corrupt; "
     "download it again"},
    {"ArrayOfArrays", put_after<uint32_t>("tokenizer.ggml.tokens", 4, 9),
     "DIR/x.gguf: tokenizer.ggml.tokens is an array of arrays, which no gpt-oss model has"},
    {"KeyTwice", in_model([](GgufFile& model) { model.values.push_back(model.values.front()); }),
     "DIR/x.gguf: the key general.architecture stands there twice"},
    {"Alignment3", set("general.alignment", gguf_uint32(3)),
     "DIR/x.gguf: general.alignment is 3, not a power of two up to 1048576"},
    {"AlignmentZero", set("general.alignment", gguf_uint32(0)),
     "DIR/x.gguf: general.alignment is 0, not a power of two up to 1048576"},
    {"AlignmentAsText", set("general.alignment", gguf_string("32")),
     R"(DIR/x.gguf: general.alignment is "32", not a power of two up to 1048576)"},
};

const Case kTensors[] = {
    {"TensorTwice", in_model([](GgufFile& model) { model.tensors.push_back(model.tensors.front()); }),
     "DIR/x.gguf: tensor token_embd.weight stands there twice"},
    {"TooManyDimensions", reshape(kNorm, 0, {1, 1, 1, 1, 64}, 256),
     "DIR/x.gguf: tensor output_norm.weight has 5 dimensions, more than the 4 of ggml"},
    {"ShapeOverflows", put_after<uint64_t>(kNorm, kNormShape, uint64_t{1} << 63),
     "DIR/x.gguf: tensor output_norm.weight of shape [9223372036854775808] is larger than any file"},
    {"UnknownType", put_after<uint32_t>(kNorm, kNormType, 31),
     "DIR/x.gguf: tensor output_norm.weight has the unknown type 31"},
    {"UnknownTypeFarOut", put_after<uint32_t>(kNorm, kNormType, ~uint32_t{0}),
     "DIR/x.gguf: tensor output_norm.weight has the unknown type 4294967295"},
    {"RowNotOfBlocks", reshape(kNorm, 8, {63}, 68),
     "DIR/x.gguf: tensor output_norm.weight has rows of 63 elements, but Q8_0 comes in blocks of 32"},
    {"OffsetUnaligned", put_after<uint64_t>(kNorm, kNormOffset, 33),
     "DIR/x.gguf: tensor output_norm.weight starts at offset 33, which is no multiple of the alignment 32"},
    {"OffsetOutside", put_after<uint64_t>(kNorm, kNormOffset, uint64_t{1} << 40),
     "DIR/x.gguf: tensor output_norm.weight takes 256 bytes at offset 1099511627776 of the data, which starts at byte "
     "4800, but the file has 165952 bytes: it is cut short or corrupt; download it again"},
    {"OffsetOverflows", put_after<uint64_t>(kNorm, kNormOffset, ~uint64_t{31}),
     "DIR/x.gguf: tensor output_norm.weight takes 256 bytes at offset 18446744073709551584 of the data, which starts "
     "at byte 4800, but the file has 165952 bytes: it is cut short or corrupt; download it again"},
    {"OffsetsOverlap", put_after<uint64_t>(kNorm, kNormOffset, 32),
     "DIR/x.gguf: tensor output_norm.weight starts at offset 32, inside tensor token_embd.weight, which ends at 10240"},
    {"TensorMissing", erase_tensor("blk.1.attn_q.weight"),
     "DIR/x.gguf has no tensor blk.1.attn_q.weight, which should be [64, 64] by its metadata"},
    {"EmbeddingMissing", erase_tensor("token_embd.weight"),
     "DIR/x.gguf has no matrix token_embd.weight, the embedding"},
    {"MatrixTransposed", reshape("blk.0.attn_k.weight", 30, {64, 32}, 64 * 32 * 2),
     "DIR/x.gguf: tensor blk.0.attn_k.weight has the shape [64, 32], but should be [32, 64] by its metadata"},
    {"NormInQ8", reshape(kNorm, 8, {64}, 68),
     "DIR/x.gguf: tensor output_norm.weight is stored as Q8_0, but gossamer computes with F32, F16, BF16 there"},
    {"MatrixInQ4K", reshape("output.weight", 12, {20, 256}, 20 * 144),
     "DIR/x.gguf: tensor output.weight is stored as Q4_K, but gossamer computes with F32, F16, BF16, Q8_0 there"},
    {"ExpertsInQ4", reshape("blk.0.ffn_up_exps.weight", 2, {4, 96, 64}, 4 * 96 * 2 * 18),
     "DIR/x.gguf: tensor blk.0.ffn_up_exps.weight is stored as Q4_0, but gossamer computes with MXFP4, Q8_0, BF16, "
     "F16, F32 there"},
    {"ExpertsInOllamasFirstForm", reshape("blk.0.ffn_up_exps.weight", 4, {4, 96, 64}, 4 * 96 * 2 * 17),
     "DIR/x.gguf: tensor blk.0.ffn_up_exps.weight is MXFP4 in the form that Ollama published until October 2025 (type "
     "4 instead of 39): get the present form with `ollama pull gpt-oss:20b` or `ollama pull gpt-oss:120b`"},
    {"OneLayerTooMany", set("gpt-oss.block_count", gguf_uint32(1)),
     "DIR/x.gguf has tensor blk.1.attn_norm.weight, but the number of layers is 1 by its metadata"},
};

const Case kValues[] = {
    {"NoArchitecture", erase("general.architecture"), "DIR/x.gguf has no key general.architecture"},
    {"AnotherArchitecture", set("general.architecture", gguf_string("llama")),
     R"(DIR/x.gguf: general.architecture is "llama", but gossamer runs gpt-oss models)"},
    {"ArchitectureIsANumber", set("general.architecture", gguf_uint32(1)),
     "DIR/x.gguf: general.architecture is 1, but gossamer runs gpt-oss models"},
    {"KeyMissing", erase("gpt-oss.expert_count"), "DIR/x.gguf has no key gpt-oss.expert_count"},
    {"CountIsAFraction", set("gpt-oss.expert_count", gguf_float32(4)),
     "DIR/x.gguf: gpt-oss.expert_count is 4.0, not a whole number from 0 to 4294967295"},
    {"CountIsAList", set("gpt-oss.attention.head_count_kv", gguf_int32s({2, 2})),
     "DIR/x.gguf: gpt-oss.attention.head_count_kv is an array of 2 int32, not a whole number from 0 to 4294967295"},
    {"CountIsZero", set("gpt-oss.attention.sliding_window", gguf_uint32(0)),
     "DIR/x.gguf: the sliding window is 0, not 1 to 1048576"},
    {"NumberIsText", set("gpt-oss.rope.freq_base", gguf_string("150000")),
     R"(DIR/x.gguf: gpt-oss.rope.freq_base is "150000", not a number that fits 32 bits)"},
    {"NumberIsNotANumber", set("gpt-oss.rope.freq_base", gguf_float32(std::nanf(""))),
     "DIR/x.gguf: gpt-oss.rope.freq_base is nan, not a number that fits 32 bits"},
    {"AnotherRope", set("gpt-oss.rope.scaling.type", gguf_string("linear")),
     R"(DIR/x.gguf: rope.scaling.type is "linear", but gpt-oss has yarn)"},
    {"TokenTypesTooFew", set("tokenizer.ggml.token_type", gguf_int32s({1, 1})),
     "DIR/x.gguf: the vocabulary has 80 tokens, but 2 token types"},
    {"TokensAreNumbers", set("tokenizer.ggml.tokens", gguf_int32s({1, 1})),
     "DIR/x.gguf: tokenizer.ggml.tokens is an array of 2 int32, not a list of strings"},
    {"MergesMissing", erase("tokenizer.ggml.merges"), "DIR/x.gguf has no key tokenizer.ggml.merges"},
    {"EndTokenIsText", set("tokenizer.ggml.eos_token_id", gguf_string("end")),
     R"(DIR/x.gguf: tokenizer.ggml.eos_token_id is "end", not a token id)"},
    {"EndTokensAreText", set("tokenizer.ggml.eos_token_ids", gguf_strings({"end"})),
     "DIR/x.gguf: tokenizer.ggml.eos_token_ids is an array of 1 strings, not a list of token ids"},
    {"SplitCountIsText", set("split.count", gguf_string("3")), R"(DIR/x.gguf: split.count is "3", not 1 to 1024)"},
    {"SplitCountIsAbsurd", set("split.count", gguf_uint32(1000000)),
     "DIR/x.gguf: split.count is 1000000, not 1 to 1024"},
    {"SplitNameDoesNotLead",
     in_model([](GgufFile& model) { model.set("split.count", gguf_uint16(3)), model.set("split.no", gguf_uint16(0)); }),
     "DIR/x.gguf is the first of 3 parts, so its name should end in -00001-of-00003.gguf for the others to be found"},
};

class BrokenGgufTest : public ::testing::TestWithParam<Case> {};

TEST_P(BrokenGgufTest, IsToldInASentence) {
  const TempFolder folder;
  GgufFile model = gguf_model(tiny_config(), 1);
  GetParam().break_it.model(model);
  std::string bytes = model.bytes();
  GetParam().break_it.bytes(bytes);
  write_file(folder / "x.gguf", bytes);
  EXPECT_EQ(open_error(folder / "x.gguf", folder.path()), GetParam().sentence);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Header, BrokenGgufTest, ::testing::ValuesIn(kHeader), case_name);
INSTANTIATE_TEST_SUITE_P(Tensors, BrokenGgufTest, ::testing::ValuesIn(kTensors), case_name);
INSTANTIATE_TEST_SUITE_P(Values, BrokenGgufTest, ::testing::ValuesIn(kValues), case_name);

TEST(BrokenSplitGguf, IsToldInASentence) {
  const TempFolder folder;
  write_split_gguf(folder / "m", gguf_model(tiny_config(), 1), 3);
  EXPECT_EQ(open_error(folder / "m-00002-of-00003.gguf", folder.path()),
            "DIR/m-00002-of-00003.gguf: split.no is 1, so it is not the first of 3 parts: name the first");
  std::filesystem::remove(folder / "m-00003-of-00003.gguf");
  EXPECT_EQ(open_error(folder / "m-00001-of-00003.gguf", folder.path()),
            "DIR/m-00001-of-00003.gguf has 3 parts, but DIR/m-00003-of-00003.gguf is not there: the download is not "
            "complete");
  std::filesystem::copy(folder / "m-00002-of-00003.gguf", folder / "m-00003-of-00003.gguf");
  EXPECT_EQ(open_error(folder / "m-00001-of-00003.gguf", folder.path()),
            "tensor blk.0.ffn_gate_inp.bias stands both in DIR/m-00002-of-00003.gguf and in DIR/m-00003-of-00003.gguf");
}

TEST(BrokenPaths, AreToldInASentence) {
  const TempFolder folder;
  EXPECT_EQ(open_error(folder / "absent.gguf", folder.path()),
            "cannot open DIR/absent.gguf: No such file or directory");
  EXPECT_EQ(open_error(folder.path(), folder.path()),
            "DIR is a folder without config.json: a model folder has config.json and .safetensors files");
  EXPECT_EQ(open_error("/dev/null", folder.path()), "/dev/null is not a regular file");
}

}  // namespace
}  // namespace gossamer::testing
