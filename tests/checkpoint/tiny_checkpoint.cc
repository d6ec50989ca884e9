#include "checkpoint/tiny_checkpoint.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/check.h"
#include "base/dtype.h"
#include "checkpoint/shape.h"

namespace gossamer::testing {
namespace {

/// Numbers that depend on seed and tensor name only, so that a tensor is the same in every form.
class NameRandom {
 public:
  NameRandom(uint64_t seed, std::string_view name) : state_(seed * 0x9e3779b97f4a7c15u) {
    for (char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }

  uint64_t next() {  // splitmix64
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Uniform in [-1, 1).
  float uniform() { return static_cast<float>(static_cast<int64_t>(next() >> 11) - (int64_t{1} << 52)) * 0x1p-52f; }

 private:
  uint64_t state_;
};

FileTensor bf16_tensor(uint64_t seed, std::string name, std::vector<uint64_t> shape, float mean, float spread) {
  NameRandom random(seed, name);
  FileTensor tensor{std::move(name), "BF16", std::move(shape), ""};
  for (uint64_t i = 0, count = *element_count(tensor.shape); i < count; ++i) {
    const uint16_t bits = f32_to_bf16(mean + spread * random.uniform());
    tensor.bytes.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  return tensor;
}

FileTensor code_tensor(uint64_t seed, std::string name, std::vector<uint64_t> shape) {
  NameRandom random(seed, name);
  FileTensor tensor{std::move(name), "U8", std::move(shape), ""};
  for (uint64_t i = 0, count = *element_count(tensor.shape); i < count; ++i)
    tensor.bytes.push_back(static_cast<char>(random.next() & 0xff));
  return tensor;
}

/// Scales of 2^-7 to 2^-4, so that a row of some hundred codes (up to 6) gives sums near 1; one in 64 is the smallest
/// there is.
FileTensor scale_tensor(uint64_t seed, std::string name, std::vector<uint64_t> shape) {
  NameRandom random(seed, name);
  FileTensor tensor{std::move(name), "U8", std::move(shape), ""};
  for (uint64_t i = 0, count = *element_count(tensor.shape); i < count; ++i) {
    const uint64_t draw = random.next();
    tensor.bytes.push_back(static_cast<char>(draw % 64 == 0 ? 0 : 120 + (draw >> 8) % 4));
  }
  return tensor;
}

void append_experts(std::vector<FileTensor>& out, uint64_t seed, const std::string& name, uint64_t experts,
                    uint64_t rows, uint64_t cols) {
  const uint64_t blocks = cols / kBlockElements;
  out.push_back(code_tensor(seed, name + "_blocks", {experts, rows, blocks, kMxfp4SplitBlockBytes}));
  out.push_back(scale_tensor(seed, name + "_scales", {experts, rows, blocks}));
  out.push_back(bf16_tensor(seed, name + "_bias", {experts, rows}, 0, .3f));
}

void write_json(const std::string& path, const json::object& object) {
  write_file(path, json::serialize(object));
}

/// Shards of about the same number of tensors, with the index.
void write_shards(const std::string& folder, const std::vector<FileTensor>& tensors, uint32_t shards) {
  json::object weight_map;
  for (uint32_t shard = 0; shard < shards; ++shard) {
    const auto first = tensors.begin() + static_cast<ptrdiff_t>(shard * tensors.size() / shards);
    const auto last = tensors.begin() + static_cast<ptrdiff_t>((shard + 1) * tensors.size() / shards);
    const std::string file = fmt::format("model-{:05}-of-{:05}.safetensors", shard, shards - 1);
    for (auto tensor = first; tensor != last; ++tensor) weight_map[tensor->name] = file;
    write_file(folder + "/" + file, safetensors_bytes({first, last}));
  }
  write_json(folder + "/model.safetensors.index.json",
             {{"metadata", {{"total_size", 0}}}, {"weight_map", std::move(weight_map)}});
}

}  // namespace

ModelConfig tiny_config() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden = 64;
  config.intermediate = 96;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 16;
  config.num_experts = 4;
  config.experts_per_token = 2;
  config.vocab_size = 80;
  config.sliding_window = 8;
  config.original_context = 64;
  config.rope_factor = 4;
  config.max_context = 256;
  return config;
}

std::vector<FileTensor> hugging_face_tensors(const ModelConfig& c, uint64_t seed) {
  std::vector<FileTensor> out;
  const uint64_t q_rows = uint64_t{c.num_heads} * c.head_dim, kv_rows = uint64_t{c.num_kv_heads} * c.head_dim;
  const auto add = [&](std::string name, std::vector<uint64_t> shape, float mean, float spread) {
    out.push_back(bf16_tensor(seed, std::move(name), std::move(shape), mean, spread));
  };
  const auto spread_of = [](uint64_t cols) { return 2.f / std::sqrt(static_cast<float>(cols)); };
  add("model.embed_tokens.weight", {c.vocab_size, c.hidden}, 0, 1);
  for (uint32_t layer = 0; layer < c.num_layers; ++layer) {
    const std::string p = fmt::format("model.layers.{}.", layer);
    add(p + "input_layernorm.weight", {c.hidden}, 1, .3f);
    for (const auto& [projection, rows] : {std::pair("q", q_rows), std::pair("k", kv_rows), std::pair("v", kv_rows)}) {
      add(fmt::format("{}self_attn.{}_proj.weight", p, projection), {rows, c.hidden}, 0, spread_of(c.hidden));
      add(fmt::format("{}self_attn.{}_proj.bias", p, projection), {rows}, 0, .3f);
    }
    add(p + "self_attn.o_proj.weight", {c.hidden, q_rows}, 0, spread_of(q_rows));
    add(p + "self_attn.o_proj.bias", {c.hidden}, 0, .3f);
    add(p + "self_attn.sinks", {c.num_heads}, 1, 1);
    add(p + "post_attention_layernorm.weight", {c.hidden}, 1, .3f);
    add(p + "mlp.router.weight", {c.num_experts, c.hidden}, 0, spread_of(c.hidden));
    add(p + "mlp.router.bias", {c.num_experts}, 0, .3f);
    append_experts(out, seed, p + "mlp.experts.gate_up_proj", c.num_experts, 2 * uint64_t{c.intermediate}, c.hidden);
    append_experts(out, seed, p + "mlp.experts.down_proj", c.num_experts, c.hidden, c.intermediate);
  }
  add("model.norm.weight", {c.hidden}, 1, .3f);
  add("lm_head.weight", {c.vocab_size, c.hidden}, 0, spread_of(c.hidden));
  return out;
}

std::vector<FileTensor> original_tensors(const ModelConfig& c, uint64_t seed) {
  std::map<std::string, FileTensor> source;
  for (FileTensor& tensor : hugging_face_tensors(c, seed)) {
    std::string name = tensor.name;
    source.emplace(std::move(name), std::move(tensor));
  }
  std::vector<FileTensor> out;
  const auto rename = [&](const std::string& from, const std::string& to) {
    out.push_back(source.at(from));
    out.back().name = to;
  };
  rename("model.embed_tokens.weight", "embedding.weight");
  for (uint32_t layer = 0; layer < c.num_layers; ++layer) {
    const std::string p = fmt::format("model.layers.{}.", layer), q = fmt::format("block.{}.", layer);
    for (const char* kind : {"weight", "bias"}) {
      rename(p + "self_attn.q_proj." + kind, q + "attn.qkv." + kind);
      FileTensor& qkv = out.back();
      for (const char* projection : {"k", "v"}) {
        const FileTensor& part = source.at(fmt::format("{}self_attn.{}_proj.{}", p, projection, kind));
        qkv.shape[0] += part.shape[0];
        qkv.bytes += part.bytes;
      }
      rename(p + "self_attn.o_proj." + kind, q + "attn.out." + kind);
      rename(p + "mlp.router." + kind, q + "mlp.gate." + kind);
    }
    rename(p + "self_attn.sinks", q + "attn.sinks");
    rename(p + "input_layernorm.weight", q + "attn.norm.scale");
    rename(p + "post_attention_layernorm.weight", q + "mlp.norm.scale");
    for (const auto& [from, to] : {std::pair("gate_up_proj", "mlp1"), std::pair("down_proj", "mlp2")}) {
      rename(fmt::format("{}mlp.experts.{}_blocks", p, from), fmt::format("{}mlp.{}_weight.blocks", q, to));
      rename(fmt::format("{}mlp.experts.{}_scales", p, from), fmt::format("{}mlp.{}_weight.scales", q, to));
      rename(fmt::format("{}mlp.experts.{}_bias", p, from), fmt::format("{}mlp.{}_bias", q, to));
    }
  }
  rename("model.norm.weight", "norm.scale");
  rename("lm_head.weight", "unembedding.weight");
  return out;
}

json::object hugging_face_config(const ModelConfig& c) {
  json::array layer_types;
  for (uint32_t layer = 0; layer < c.num_layers; ++layer)
    layer_types.emplace_back(c.is_sliding(layer) ? "sliding_attention" : "full_attention");
  return {{"architectures", {"GptOssForCausalLM"}},
          {"attention_bias", true},
          {"eos_token_id", c.vocab_size - 1},
          {"experts_per_token", c.experts_per_token},
          {"head_dim", c.head_dim},
          {"hidden_act", "silu"},
          {"hidden_size", c.hidden},
          {"initial_context_length", c.original_context},
          {"intermediate_size", c.intermediate},
          {"layer_types", std::move(layer_types)},
          {"max_position_embeddings", c.max_context},
          {"model_type", "gpt_oss"},
          {"num_attention_heads", c.num_heads},
          {"num_experts_per_tok", c.experts_per_token},
          {"num_hidden_layers", c.num_layers},
          {"num_key_value_heads", c.num_kv_heads},
          {"num_local_experts", c.num_experts},
          {"quantization_config", {{"quant_method", "mxfp4"}}},
          {"rms_norm_eps", c.rms_norm_eps},
          {"rope_scaling",
           {{"beta_fast", c.rope_beta_fast},
            {"beta_slow", c.rope_beta_slow},
            {"factor", c.rope_factor},
            {"original_max_position_embeddings", c.original_context},
            {"rope_type", "yarn"},
            {"truncate", false}}},
          {"rope_theta", c.rope_theta},
          {"sliding_window", c.sliding_window},
          {"swiglu_limit", c.swiglu_limit},
          {"tie_word_embeddings", false},
          {"vocab_size", c.vocab_size}};
}

json::object original_config(const ModelConfig& c) {
  return {{"num_hidden_layers", c.num_layers},
          {"num_experts", c.num_experts},
          {"experts_per_token", c.experts_per_token},
          {"vocab_size", c.vocab_size},
          {"hidden_size", c.hidden},
          {"intermediate_size", c.intermediate},
          {"swiglu_limit", c.swiglu_limit},
          {"head_dim", c.head_dim},
          {"num_attention_heads", c.num_heads},
          {"num_key_value_heads", c.num_kv_heads},
          {"sliding_window", c.sliding_window},
          {"initial_context_length", c.original_context},
          {"rope_theta", c.rope_theta},
          {"rope_scaling_factor", c.rope_factor},
          {"rope_ntk_alpha", c.rope_beta_slow},
          {"rope_ntk_beta", c.rope_beta_fast}};
}

std::string safetensors_bytes(const std::vector<FileTensor>& tensors) {
  json::object header{{"__metadata__", {{"format", "pt"}}}};
  std::string data;
  for (const FileTensor& tensor : tensors) {
    const uint64_t begin = data.size();
    data += tensor.bytes;
    header[tensor.name] = json::object{{"dtype", tensor.dtype},
                                       {"shape", json::array(tensor.shape.begin(), tensor.shape.end())},
                                       {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = json::serialize(header);
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + text + data;
}

void write_hugging_face(const std::string& folder, const ModelConfig& config, uint64_t seed, uint32_t shards) {
  std::filesystem::create_directories(folder);
  write_json(folder + "/config.json", hugging_face_config(config));
  const auto tensors = hugging_face_tensors(config, seed);
  if (shards > 1) return write_shards(folder, tensors, shards);
  write_file(folder + "/model.safetensors", safetensors_bytes(tensors));
}

void write_original(const std::string& folder, const ModelConfig& config, uint64_t seed) {
  std::filesystem::create_directories(folder);
  write_json(folder + "/config.json", original_config(config));
  write_file(folder + "/model.safetensors", safetensors_bytes(original_tensors(config, seed)));
}

void write_file(const std::string& path, std::string_view bytes) {
  std::filesystem::remove(path);  // writing over a file makes ext4 flush it to the disk
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  GOS_CHECK(file.good());
}

}  // namespace gossamer::testing
