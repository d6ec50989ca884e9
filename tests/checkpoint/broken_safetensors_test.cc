/// What people read when a safetensors model is broken: each case breaks a valid tiny model in one place and gives the
/// sentence.

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoint/broken_model.h"
#include "checkpoint/temp_folder.h"

namespace gossamer::testing {
namespace {

using Model = FolderModel;
using Break = std::function<void(Model&)>;

struct Case {
  const char* name;
  Break break_it;
  std::string sentence;
};

void PrintTo(const Case& broken, std::ostream* out) {
  *out << broken.name;
}

/// Changes the header's text.
Break header(std::string from, std::string to) {
  return [=](Model& model) { model.edit_header = [=](std::string& text) { replace_first(text, from, to); }; };
}
Break whole_header(std::string text) {
  return [=](Model& model) { model.edit_header = [=](std::string& header) { header = text; }; };
}
/// What the header says of model.norm.weight up to its offsets.
Break norm_entry(std::string entry) {
  return header(R"("model.norm.weight":{"dtype":"BF16","shape":[64],)", std::move(entry));
}
/// Changes the bytes of the file.
Break bytes(std::function<void(std::string&)> edit) {
  return [=](Model& model) { model.edit_file = edit; };
}
Break cut_to(size_t size) {
  return bytes([=](std::string& file) { file.resize(size); });
}
/// The length of the header, at the start of the file.
Break header_length(uint64_t length) {
  return bytes([=](std::string& file) { std::memcpy(file.data(), &length, sizeof(length)); });
}
Break offsets(std::string tensor, std::string values) {
  return [=](Model& model) {
    model.edit_header = [=](std::string& text) {
      const size_t at = text.find("[", text.find("data_offsets", text.find("\"" + tensor + "\"")));
      text.replace(at, text.find("]", at) + 1 - at, values);
    };
  };
}
Break config(std::string field, json::value value) {
  return [=](Model& model) { model.config[field] = value; };
}
Break erase_config(std::string field) {
  return [=](Model& model) { model.config.erase(field); };
}
Break rope(std::string field, json::value value) {
  return [=](Model& model) { model.config["rope_scaling"].as_object()[field] = value; };
}
Break file(std::string name, std::string content) {
  return [=](Model& model) { model.files[name] = content; };
}
Break index(std::string content) {
  return file("model.safetensors.index.json", std::move(content));
}
Break index_of(std::string_view tensor, std::string_view file_json) {
  return index(fmt::format(R"({{"weight_map": {{"{}": {}}}}})", tensor, file_json));
}
Break reshape(std::string tensor, std::string dtype, std::vector<uint64_t> shape) {
  return [=](Model& model) { model.tensor(tensor).dtype = dtype, model.tensor(tensor).shape = shape; };
}

constexpr const char* kFirst = "model.embed_tokens.weight";
constexpr const char* kSecond = "model.layers.0.input_layernorm.weight";

const Case kFile[] = {
    {"Empty", cut_to(0), "DIR/model.safetensors has 0 bytes, too few for a safetensors file"},
    {"SevenBytes", cut_to(7), "DIR/model.safetensors has 7 bytes, too few for a safetensors file"},
    {"CutInTheHeader", cut_to(100),
     "DIR/model.safetensors: the header claims 4193 bytes, but 92 follow and at most 100000000 are allowed: it is cut "
     "short or no safetensors file"},
    {"CutInTheData", bytes([](std::string& file) { file.pop_back(); }),
     "DIR/model.safetensors: tensor lm_head.weight lies at bytes 144288 to 154528 of the data, but the file has 154527 "
     "bytes of data: it is cut short or corrupt; download it again"},
    {"BytesAfterTheData", bytes([](std::string& file) { file.push_back('x'); }),
     "DIR/model.safetensors: the tensors end at byte 154528 of the data, but the file has 154529 bytes of data"},
    {"LengthOfTheHeaderIsHuge", header_length(~uint64_t{0}),
     "DIR/model.safetensors: the header claims 18446744073709551615 bytes, but 158721 follow and at most 100000000 are "
     "allowed: it is cut short or no safetensors file"},
    {"LengthOfTheHeaderIsZero", header_length(0),
     "the header of DIR/model.safetensors is not valid JSON: incomplete JSON at byte 0"},
    {"NotASafetensorsFile", bytes([](std::string& file) { file = "<html><body>404 Not Found</body></html>"; }),
     "DIR/model.safetensors: the header claims 7078601349733312572 bytes, but 31 follow and at most 100000000 are "
     "allowed: it is cut short or no safetensors file"},
    {"HeaderIsCutInItsJson", header_length(50),
     "the header of DIR/model.safetensors is not valid JSON: incomplete JSON at byte 50"},
    {"HeaderIsAnArray", whole_header("[]"), "DIR/model.safetensors: the header is not a JSON object"},
    {"HeaderGoesOnAfterItsJson", whole_header("{}x"),
     "the header of DIR/model.safetensors has more text after its JSON value, at byte 2"},
    {"HeaderIsNestedTooDeep", whole_header(std::string(100000, '[')),
     "the header of DIR/model.safetensors is not valid JSON: too deep at byte 128"},
    {"TensorIsNoObject", header(R"({"dtype":"BF16","shape":[64],)", R"(1,"x":{)"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight needs a dtype, a shape of non-negative "
     "integers and two data_offsets, but the header says 1"},
    {"NoDtype", norm_entry(R"("model.norm.weight":{"shape":[64],)"),
     "DIR/model.safetensors: tensor model.norm.weight needs a dtype, a shape of non-negative integers and two "
     "data_offsets, but the header says {\"shape\":[64],\"data_offsets\":[144160,144288]}"},
    {"UnknownDtype", norm_entry(R"("model.norm.weight":{"dtype":"F7","shape":[64],)"),
     "DIR/model.safetensors: tensor model.norm.weight has the unknown dtype F7"},
    {"DtypeIsANumber", norm_entry(R"("model.norm.weight":{"dtype":7,"shape":[64],)"),
     "DIR/model.safetensors: tensor model.norm.weight needs a dtype, a shape of non-negative integers and two "
     "data_offsets, but the header says {\"dtype\":7,\"shape\":[64],\"data_offsets\":[144160,144288]}"},
    {"NegativeShape", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[-64],)"),
     "DIR/model.safetensors: tensor model.norm.weight needs a dtype, a shape of non-negative integers and two "
     "data_offsets, but the header says {\"dtype\":\"BF16\",\"shape\":[-64],\"data_offsets\":[144160,144288]}"},
    {"FractionInTheShape", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[64.5],)"),
     "DIR/model.safetensors: tensor model.norm.weight needs a dtype, a shape of non-negative integers and two "
     "data_offsets, but the header says {\"dtype\":\"BF16\",\"shape\":[6.45E1],\"data_offsets\":[144160,144288]}"},
    {"ShapeOverflows", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[4294967296,4294967296],)"),
     "DIR/model.safetensors: tensor model.norm.weight of shape [4294967296, 4294967296] is larger than any file"},
    {"BytesOverflow", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[9223372036854775808],)"),
     "DIR/model.safetensors: tensor model.norm.weight of shape [9223372036854775808] is larger than any file"},
    {"TooManyDimensions", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[1,1,1,1,1,1,1,1,64],)"),
     "DIR/model.safetensors: tensor model.norm.weight has 9 dimensions, more than the 8 allowed"},
    {"SizeIsNotThatOfTheShape", norm_entry(R"("model.norm.weight":{"dtype":"BF16","shape":[65],)"),
     "DIR/model.safetensors: tensor model.norm.weight of shape [65] in BF16 takes 130 bytes, but the header gives it "
     "128"},
    {"NameWithControlCharacters", norm_entry(R"("a\n\u0007b":{"dtype":"F7","shape":[64],)"),
     "DIR/model.safetensors: tensor a??b has the unknown dtype F7"},
};

const Case kOffsets[] = {
    {"OffsetsRunBackwards", offsets(kSecond, "[10368,10240]"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight starts at byte 10368 of the data and ends "
     "before that, at byte 10240"},
    {"OffsetsLieOutside", offsets(kSecond, "[99999999,100000127]"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight lies at bytes 99999999 to 100000127 of the "
     "data, but the file has 154528 bytes of data: it is cut short or corrupt; download it again"},
    {"OffsetsOverlap", offsets(kSecond, "[10238,10366]"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight starts at byte 10238 of the data, inside "
     "tensor model.embed_tokens.weight, which ends at byte 10240"},
    {"OffsetsLeaveAGap",
     [](Model& model) { offsets(kFirst, "[0,10112]")(model), model.tensor(kFirst).shape = {79, 64}; },
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight starts at byte 10240 of the data, but the "
     "tensors before it end at byte 10112"},
    {"OffsetsAreThree", offsets(kSecond, "[10240,10368,10368]"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight needs a dtype, a shape of non-negative "
     "integers and two data_offsets, but the header says "
     "{\"dtype\":\"BF16\",\"shape\":[64],\"data_offsets\":[10240,10368,10368]}"},
    {"OffsetsAreLarge", offsets(kSecond, "[18446744073709551615,18446744073709551615]"),
     "DIR/model.safetensors: tensor model.layers.0.input_layernorm.weight lies at bytes 18446744073709551615 to "
     "18446744073709551615 of the data, but the file has 154528 bytes of data: it is cut short or corrupt; download it "
     "again"},
    {"TwoTensorsInOnePlace", offsets(kSecond, "[0,128]"),
     "DIR/model.safetensors: tensor model.embed_tokens.weight starts at byte 0 of the data, inside tensor "
     "model.layers.0.input_layernorm.weight, which ends at byte 128"},
};

const Case kTensors[] = {
    {"TensorMissing", [](Model& model) { model.erase("model.layers.1.mlp.router.bias"); },
     "DIR/model.safetensors has no tensor model.layers.1.mlp.router.bias, which should be [4] by DIR/config.json"},
    {"MatrixTransposed", reshape("model.layers.0.self_attn.k_proj.weight", "BF16", {64, 32}),
     "DIR/model.safetensors: tensor model.layers.0.self_attn.k_proj.weight has the shape [64, 32], but should be [32, "
     "64] by DIR/config.json"},
    {"VectorIsAMatrix", reshape("model.norm.weight", "BF16", {1, 64}),
     "DIR/model.safetensors: tensor model.norm.weight has the shape [1, 64], but should be [64] by DIR/config.json"},
    {"NormIsBytes", reshape("model.norm.weight", "U8", {128}),
     "DIR/model.safetensors: tensor model.norm.weight is stored as U8, but gossamer computes with F32, F16, BF16 "
     "there"},
    {"MatrixIsWholeNumbers", reshape("lm_head.weight", "I16", {80, 64}),
     "DIR/model.safetensors: tensor lm_head.weight is stored as I16, but gossamer computes with F32, F16, BF16, Q8_0 "
     "there"},
    {"BlocksAreBf16", reshape("model.layers.0.mlp.experts.down_proj_blocks", "BF16", {4, 64, 3, 8}),
     "DIR/model.safetensors: tensor model.layers.0.mlp.experts.down_proj_blocks is stored as BF16, but gossamer "
     "computes with U8 there"},
    {"ScalesHaveAnotherShape", reshape("model.layers.0.mlp.experts.down_proj_scales", "U8", {4, 96, 2}),
     "DIR/model.safetensors: tensor model.layers.0.mlp.experts.down_proj_scales has the shape [4, 96, 2], but should "
     "be [4, 64, 3] by DIR/config.json"},
    {"ExpertsUnquantised",
     [](Model& model) { model.tensors.push_back({"model.layers.0.mlp.experts.gate_up_proj", "BF16", {1}, "xx"}); },
     "DIR/model.safetensors: tensor model.layers.0.mlp.experts.gate_up_proj holds the experts as BF16, but gossamer "
     "computes with MXFP4 (`_blocks` and `_scales`)"},
    {"OneLayerTooMany", [](Model& model) { model.config["num_hidden_layers"] = 1, model.config.erase("layer_types"); },
     "DIR/model.safetensors has tensor model.layers.1.input_layernorm.weight, but the number of layers is 1 by "
     "DIR/config.json"},
    {"OneLayerTooFew",
     [](Model& model) {
       model.config["num_hidden_layers"] = 3;
       model.config["layer_types"].as_array().push_back("sliding_attention");
     },
     "DIR/model.safetensors has no tensor model.layers.2.input_layernorm.weight, which should be [64] by "
     "DIR/config.json"},
    {"AnotherVocabulary", config("vocab_size", 81),
     "DIR/model.safetensors: tensor model.embed_tokens.weight has the shape [80, 64], but should be [81, 64] by "
     "DIR/config.json"},
    {"AnotherHeadDimension", config("head_dim", 32),
     "DIR/model.safetensors: tensor model.layers.0.self_attn.q_proj.weight has the shape [64, 64], but should be [128, "
     "64] by DIR/config.json"},
};

const Case kConfig[] = {
    {"ConfigIsMissing", file("config.json", "-"),
     "DIR is a folder without config.json: a model folder has config.json and .safetensors files"},
    {"ConfigIsNotJson", file("config.json", "{\"model_type\": "),
     "DIR/config.json is not valid JSON: incomplete JSON at byte 15"},
    {"ConfigIsAnArray", file("config.json", "[]"), "DIR/config.json is not a JSON object"},
    {"ConfigIsHuge", file("config.json", std::string(17 << 20, ' ')),
     "DIR/config.json has 17825792 bytes, more than the 16777216 allowed for such a file"},
    {"FieldMissing", erase_config("hidden_size"), "DIR/config.json has no hidden_size"},
    {"FieldWithTwoNamesMissing",
     [](Model& model) { model.config.erase("num_experts_per_tok"), model.config.erase("experts_per_token"); },
     "DIR/config.json has no num_experts_per_tok or experts_per_token"},
    {"ZeroLayers", config("num_hidden_layers", 0), "DIR/config.json: the number of layers is 0, not 1 to 1024"},
    {"NegativeLayers", config("num_hidden_layers", -1),
     "DIR/config.json: num_hidden_layers is -1, not a whole number from 0 to 4294967295"},
    {"HalfALayer", config("num_hidden_layers", 2.5),
     "DIR/config.json: num_hidden_layers is 2.5, not a whole number from 0 to 4294967295"},
    {"LayersAsText", config("num_hidden_layers", "2"),
     "DIR/config.json: num_hidden_layers is \"2\", not a whole number from 0 to 4294967295"},
    {"AbsurdLayers", config("num_hidden_layers", 4000000000u),
     "DIR/config.json: the number of layers is 4000000000, not 1 to 1024"},
    {"TooManyLayersFor32Bits", config("num_hidden_layers", 5000000000u),
     "DIR/config.json: num_hidden_layers is 5000000000, not a whole number from 0 to 4294967295"},
    {"HiddenSizeNotOfBlocks", config("hidden_size", 65),
     "DIR/config.json: hidden size 65 and intermediate size 96 must be multiples of 32"},
    {"HeadsNotShared", config("num_key_value_heads", 3),
     "DIR/config.json: 4 attention heads are no multiple of 3 key-value heads"},
    {"OddHeadDimension", config("head_dim", 15), "DIR/config.json: the head dimension 15 is odd, and RoPE turns pairs"},
    {"MoreActiveThanExperts", config("num_experts_per_tok", 5),
     "DIR/config.json: 5 experts per token are more than the 4 experts"},
    {"AnotherFamily", config("model_type", "llama"),
     "DIR/config.json: model_type is llama, but gossamer runs gpt-oss models, where it is gpt_oss"},
    {"AnotherActivation", config("hidden_act", "gelu"),
     "DIR/config.json: hidden_act is gelu, but gossamer runs gpt-oss models, where it is silu"},
    {"NoAttentionBias", config("attention_bias", false),
     "DIR/config.json: attention_bias is false, but gossamer runs gpt-oss models, where it is true"},
    {"TiedEmbeddings", config("tie_word_embeddings", true),
     "DIR/config.json: tie_word_embeddings is true, but gossamer runs gpt-oss models, where it is false"},
    {"TiedEmbeddingsAsText", config("tie_word_embeddings", "yes"),
     "DIR/config.json: tie_word_embeddings is \"yes\", not true or false"},
    {"AnotherQuantisation", config("quantization_config", json::object{{"quant_method", "gptq"}}),
     "DIR/config.json: quant_method is gptq, but gossamer runs gpt-oss models, where it is mxfp4"},
    {"LayerTypesInAnotherOrder", config("layer_types", json::array{"full_attention", "sliding_attention"}),
     "DIR/config.json: layer_types of layer 0 is \"full_attention\", but gpt-oss has sliding_attention there"},
    {"LayerTypesTooFew", config("layer_types", json::array{"sliding_attention"}),
     "DIR/config.json: layer_types has 1 entries, but num_hidden_layers is 2"},
    {"NoRope", erase_config("rope_scaling"), "DIR/config.json has no rope_scaling or rope_parameters"},
    {"AnotherRope", rope("rope_type", "linear"),
     "DIR/config.json: rope_scaling.rope_type is linear, but gpt-oss has yarn"},
    {"RopeTruncates", rope("truncate", true), "DIR/config.json: rope_scaling.truncate is true, but gpt-oss has false"},
    {"RopeFactorMissing", [](Model& model) { model.config["rope_scaling"].as_object().erase("factor"); },
     "DIR/config.json has no rope_scaling.factor"},
    {"RopeFactorBelowOne", rope("factor", 0.5), "DIR/config.json: the YaRN factor is 0.5, not 1 or more"},
    {"RopeFactorInfinite", rope("factor", 1e300),
     "DIR/config.json: rope_scaling.factor is 1e+300, not a number that fits 32 bits"},
    {"RopeThetaZero", config("rope_theta", 0),
     "DIR/config.json: the RoPE theta is 0, not above 0 and up to 1000000000000"},
    {"EpsilonNegative", config("rms_norm_eps", -1e-5),
     "DIR/config.json: the RMSNorm epsilon is -1e-05, not above 0 and up to 1"},
    {"EndTokenAsText", config("eos_token_id", "</s>"),
     "DIR/config.json: eos_token_id is \"</s>\", not a token id or a list of them"},
    {"EndTokensWithAFraction", config("eos_token_id", json::array{1, 2.5}),
     "DIR/config.json: eos_token_id is [1,2.5E0], not a token id or a list of them"},
    {"GenerationConfigIsNotJson", file("generation_config.json", "eos"),
     "DIR/generation_config.json is not valid JSON: syntax error at byte 0"},
    {"TemperatureNegative", file("generation_config.json", R"({"temperature": -1})"),
     "DIR/generation_config.json: temperature is -1, not 0 to 100"},
    {"TopPAboveOne", file("generation_config.json", R"({"top_p": 1.5})"),
     "DIR/generation_config.json: top_p is 1.5, not above 0 and up to 1"},
};

const Case kIndex[] = {
    {"IndexIsNotJson", index("{"), "DIR/model.safetensors.index.json is not valid JSON: incomplete JSON at byte 1"},
    {"IndexHasNoMap", index("{\"metadata\": {}}"),
     "DIR/model.safetensors.index.json has no weight_map from tensors to files"},
    {"IndexLeavesTheFolder", index_of("a", "\"../model.safetensors\""),
     "DIR/model.safetensors.index.json places tensor a in \"../model.safetensors\", which is no .safetensors file of "
     "the same folder"},
    {"IndexNamesAnAbsolutePath", index_of("a", "\"/etc/passwd.safetensors\""),
     "DIR/model.safetensors.index.json places tensor a in \"/etc/passwd.safetensors\", which is no .safetensors file "
     "of the same folder"},
    {"IndexNamesAnotherKindOfFile", index_of("a", "\"config.json\""),
     "DIR/model.safetensors.index.json places tensor a in \"config.json\", which is no .safetensors file of the same "
     "folder"},
    {"IndexNamesANumber", index_of("a", "1"),
     "DIR/model.safetensors.index.json places tensor a in 1, which is no .safetensors file of the same folder"},
    {"ShardMissing", index_of("a", "\"model-00000-of-00002.safetensors\""),
     "DIR/model.safetensors.index.json names DIR/model-00000-of-00002.safetensors, which is not there: the download is "
     "not complete"},
    {"TensorNotInItsShard", index_of("a", "\"model.safetensors\""),
     "DIR/model.safetensors.index.json places tensor a in DIR/model.safetensors, which does not have it"},
    {"TensorInTwoFiles",
     [](Model& model) { model.files["second.safetensors"] = safetensors_bytes({model.tensor("model.norm.weight")}); },
     "tensor model.norm.weight stands both in DIR/model.safetensors and in DIR/second.safetensors"},
    {"TensorInAnotherShard",
     [](Model& model) {
       model.files["second.safetensors"] = safetensors_bytes({{"b", "U8", {1}, "x"}});
       model.files["model.safetensors.index.json"] =
           R"({"weight_map": {"lm_head.weight": "second.safetensors", "model.norm.weight": "model.safetensors"}})";
     },
     "DIR/model.safetensors.index.json places tensor lm_head.weight in DIR/second.safetensors, but it is in "
     "DIR/model.safetensors"},
    {"NoWeights", file("model.safetensors", "-"),
     "DIR has a config.json but no .safetensors files: download the weights too"},
};

class BrokenSafetensorsTest : public ::testing::TestWithParam<Case> {};

TEST_P(BrokenSafetensorsTest, IsToldInASentence) {
  const TempFolder folder;
  FolderModel model = hugging_face_model();
  GetParam().break_it(model);
  model.write(folder.path());
  EXPECT_EQ(open_error(folder.path(), folder.path()), GetParam().sentence);
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(File, BrokenSafetensorsTest, ::testing::ValuesIn(kFile), case_name);
INSTANTIATE_TEST_SUITE_P(Offsets, BrokenSafetensorsTest, ::testing::ValuesIn(kOffsets), case_name);
INSTANTIATE_TEST_SUITE_P(Tensors, BrokenSafetensorsTest, ::testing::ValuesIn(kTensors), case_name);
INSTANTIATE_TEST_SUITE_P(Config, BrokenSafetensorsTest, ::testing::ValuesIn(kConfig), case_name);
INSTANTIATE_TEST_SUITE_P(Index, BrokenSafetensorsTest, ::testing::ValuesIn(kIndex), case_name);

const Case kOriginal[] = {
    {"FieldMissing", erase_config("rope_scaling_factor"), "DIR/config.json has no rope_scaling_factor"},
    {"ContextOverflows", config("rope_scaling_factor", 1e9),
     "DIR/config.json: initial_context_length 64 times rope_scaling_factor 1000000000 is no length of a context"},
    {"HeadsDoNotFitQkv", config("num_attention_heads", 8),
     "DIR/model.safetensors: tensor block.0.attn.qkv.weight has the shape [128, 64], but should be [192, 64] by "
     "DIR/config.json"},
    {"TensorMissing", [](Model& model) { model.erase("block.1.mlp.mlp2_weight.scales"); },
     "DIR/model.safetensors has no tensor block.1.mlp.mlp2_weight.scales, which should be [4, 64, 3] by "
     "DIR/config.json"},
    {"OneLayerTooMany", config("num_hidden_layers", 1),
     "DIR/model.safetensors has tensor block.1.attn.qkv.weight, but the number of layers is 1 by DIR/config.json"},
};

class BrokenOriginalTest : public ::testing::TestWithParam<Case> {};

TEST_P(BrokenOriginalTest, IsToldInASentence) {
  const TempFolder folder;
  FolderModel model = original_model();
  GetParam().break_it(model);
  model.write(folder.path());
  EXPECT_EQ(open_error(folder.path(), folder.path()), GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(All, BrokenOriginalTest, ::testing::ValuesIn(kOriginal), case_name);

}  // namespace
}  // namespace gossamer::testing
