#include "checkpoint/tiny_gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/dtype.h"
#include "checkpoint/tiny_checkpoint.h"

namespace gossamer::testing {
namespace {

constexpr uint32_t kF32 = 0, kBf16 = 30, kMxfp4 = 39;

template <class T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string raw_string(std::string_view text) {
  return raw<uint64_t>(text.size()) + std::string(text);
}

std::string bf16_as_f32(const std::string& bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + i, sizeof(bits));
    out += raw(bf16_to_f32(bits));
  }
  return out;
}

/// Every second row of [experts, rows, row_bytes], from `first` on.
std::string every_second_row(const std::string& bytes, size_t row_bytes, size_t first) {
  std::string out;
  for (size_t row = first; row * row_bytes < bytes.size(); row += 2) out += bytes.substr(row * row_bytes, row_bytes);
  return out;
}

/// Codes and scales of safetensors as ggml's 17-byte blocks: byte j holds elements j and j + 16 instead of 2j and 2j
/// + 1.
std::string ggml_blocks(const std::string& codes, const std::string& scales) {
  std::string out;
  for (size_t block = 0; block < scales.size(); ++block) {
    uint8_t elements[kBlockElements];
    for (size_t j = 0; j < 16; ++j) {
      const uint8_t byte = static_cast<uint8_t>(codes[block * 16 + j]);
      elements[2 * j] = byte & 15;
      elements[2 * j + 1] = byte >> 4;
    }
    out.push_back(scales[block]);
    for (size_t j = 0; j < 16; ++j) out.push_back(static_cast<char>(elements[j] | (elements[j + 16] << 4)));
  }
  return out;
}

/// Builds the tensors of one flavour out of those of the Hugging Face layout.
class ModelWriter {
 public:
  ModelWriter(const ModelConfig& config, uint64_t seed, GgufFlavour flavour) : c_(config), flavour_(flavour) {
    for (FileTensor& tensor : hugging_face_tensors(config, seed)) {
      std::string name = tensor.name;
      source_.emplace(std::move(name), std::move(tensor));
    }
  }

  std::vector<GgufFile::Tensor> tensors() {
    matrix("token_embd.weight", "model.embed_tokens.weight");
    for (uint32_t layer = 0; layer < c_.num_layers; ++layer)
      add_layer(fmt::format("blk.{}.", layer), fmt::format("model.layers.{}.", layer));
    vector("output_norm.weight", "model.norm.weight");
    matrix("output.weight", "lm_head.weight");
    return std::move(out_);
  }

 private:
  bool ollama() const { return flavour_ != GgufFlavour::kLlamaCpp; }

  void matrix(const std::string& to, const std::string& from) {
    const FileTensor& tensor = source_.at(from);
    out_.push_back({to, kBf16, tensor.shape, tensor.bytes});
  }
  void vector(const std::string& to, const std::string& from) {
    const FileTensor& tensor = source_.at(from);
    out_.push_back({to, kF32, tensor.shape, bf16_as_f32(tensor.bytes)});
  }

  void add_layer(const std::string& b, const std::string& p) {
    vector(b + "attn_norm.weight", p + "input_layernorm.weight");
    add_qkv(b, p);
    const std::string out = ollama() ? "attn_out" : "attn_output";
    matrix(b + out + ".weight", p + "self_attn.o_proj.weight");
    vector(b + out + ".bias", p + "self_attn.o_proj.bias");
    vector(b + (ollama() ? "attn_sinks" : "attn_sinks.weight"), p + "self_attn.sinks");
    vector(b + (ollama() ? "ffn_norm.weight" : "post_attention_norm.weight"), p + "post_attention_layernorm.weight");
    vector(b + "ffn_gate_inp.weight", p + "mlp.router.weight");
    vector(b + "ffn_gate_inp.bias", p + "mlp.router.bias");
    add_gate_up(b, p + "mlp.experts.gate_up_proj");
    add_experts(b + "ffn_down_exps", p + "mlp.experts.down_proj");
  }

  void add_qkv(const std::string& b, const std::string& p) {
    if (flavour_ != GgufFlavour::kOllamaFused) {
      for (const char* x : {"q", "k", "v"}) {
        matrix(fmt::format("{}attn_{}.weight", b, x), fmt::format("{}self_attn.{}_proj.weight", p, x));
        vector(fmt::format("{}attn_{}.bias", b, x), fmt::format("{}self_attn.{}_proj.bias", p, x));
      }
      return;
    }
    for (const char* kind : {"weight", "bias"}) {
      GgufFile::Tensor qkv{b + "attn_qkv." + kind, kBf16, source_.at(p + "self_attn.q_proj." + kind).shape, ""};
      qkv.shape[0] = 0;
      for (const char* x : {"q", "k", "v"}) {
        const FileTensor& part = source_.at(fmt::format("{}self_attn.{}_proj.{}", p, x, kind));
        qkv.shape[0] += part.shape[0];
        qkv.bytes += part.bytes;
      }
      out_.push_back(std::move(qkv));
    }
  }

  void add_bias(const std::string& to, std::vector<uint64_t> shape, const std::string& bytes) {
    out_.push_back({to, ollama() ? kBf16 : kF32, std::move(shape), ollama() ? bytes : bf16_as_f32(bytes)});
  }

  void add_experts(const std::string& to, const std::string& from) {
    const FileTensor &codes = source_.at(from + "_blocks"), &scales = source_.at(from + "_scales"),
                     &bias = source_.at(from + "_bias");
    out_.push_back({to + ".weight",
                    kMxfp4,
                    {codes.shape[0], codes.shape[1], codes.shape[2] * kBlockElements},
                    ggml_blocks(codes.bytes, scales.bytes)});
    add_bias(to + ".bias", bias.shape, bias.bytes);
  }

  void add_gate_up(const std::string& b, const std::string& from) {
    if (flavour_ == GgufFlavour::kOllamaFused) return add_experts(b + "ffn_gate_up_exps", from);
    const FileTensor &codes = source_.at(from + "_blocks"), &scales = source_.at(from + "_scales"),
                     &bias = source_.at(from + "_bias");
    const uint64_t experts = codes.shape[0], rows = codes.shape[1] / 2, blocks = codes.shape[2];
    const std::string whole = ggml_blocks(codes.bytes, scales.bytes);
    for (size_t part = 0; part < 2; ++part) {
      const std::string name = b + (part == 0 ? "ffn_gate_exps" : "ffn_up_exps");
      out_.push_back({name + ".weight",
                      kMxfp4,
                      {experts, rows, blocks * kBlockElements},
                      every_second_row(whole, blocks * kMxfp4GgmlBlockBytes, part)});
      add_bias(name + ".bias", {experts, rows}, every_second_row(bias.bytes, 2, part));
    }
  }

  const ModelConfig& c_;
  GgufFlavour flavour_;
  std::map<std::string, FileTensor> source_;
  std::vector<GgufFile::Tensor> out_;
};

void add_vocabulary(GgufFile& file, uint32_t vocab_size) {
  std::vector<std::string> tokens;
  for (uint32_t id = 0; id < vocab_size; ++id) tokens.push_back(fmt::format("t{}", id));
  std::vector<int32_t> types(vocab_size, 1);
  tokens[vocab_size - 2] = "<|call|>";
  tokens[vocab_size - 1] = "<|return|>";
  types[vocab_size - 2] = types[vocab_size - 1] = 3;
  file.set("tokenizer.ggml.model", gguf_string("gpt2"));
  file.set("tokenizer.ggml.pre", gguf_string("gpt-4o"));
  file.set("tokenizer.ggml.tokens", gguf_strings(tokens));
  file.set("tokenizer.ggml.token_type", gguf_int32s(types));
  file.set("tokenizer.ggml.merges", gguf_strings({"t 1"}));
  file.set("tokenizer.ggml.eos_token_id", gguf_uint32(vocab_size - 1));
}

}  // namespace

void GgufFile::set(const std::string& key, std::string value) {
  const auto at = std::ranges::find(values, key, [](const auto& entry) { return entry.first; });
  if (at == values.end()) {
    values.emplace_back(key, std::move(value));
  } else {
    at->second = std::move(value);
  }
}

void GgufFile::erase(const std::string& key) {
  GOS_CHECK(std::erase_if(values, [&](const auto& entry) { return entry.first == key; }) == 1);
}

GgufFile::Tensor& GgufFile::tensor(std::string_view name) {
  const auto at = std::ranges::find(tensors, name, &Tensor::name);
  GOS_CHECK(at != tensors.end());
  return *at;
}

std::string GgufFile::bytes() const {
  std::string out = "GGUF" + raw(version) + raw<uint64_t>(tensors.size()) + raw<uint64_t>(values.size());
  for (const auto& [key, value] : values) out += raw_string(key) + value;
  std::string data;
  for (const Tensor& tensor : tensors) {
    data.resize((data.size() + alignment - 1) / alignment * alignment);
    out += raw_string(tensor.name) + raw<uint32_t>(static_cast<uint32_t>(tensor.shape.size()));
    for (auto dimension = tensor.shape.rbegin(); dimension != tensor.shape.rend(); ++dimension) out += raw(*dimension);
    out += raw(tensor.type) + raw<uint64_t>(data.size());
    data += tensor.bytes;
  }
  out.resize((out.size() + alignment - 1) / alignment * alignment);
  return out + data;
}

std::string gguf_uint32(uint32_t number) {
  return raw<uint32_t>(4) + raw(number);
}
std::string gguf_uint16(uint16_t number) {
  return raw<uint32_t>(2) + raw(number);
}
std::string gguf_float32(float number) {
  return raw<uint32_t>(6) + raw(number);
}
std::string gguf_string(std::string_view text) {
  return raw<uint32_t>(8) + raw_string(text);
}

std::string gguf_strings(const std::vector<std::string>& texts) {
  std::string out = raw<uint32_t>(9) + raw<uint32_t>(8) + raw<uint64_t>(texts.size());
  for (const std::string& text : texts) out += raw_string(text);
  return out;
}

std::string gguf_int32s(const std::vector<int32_t>& numbers) {
  std::string out = raw<uint32_t>(9) + raw<uint32_t>(5) + raw<uint64_t>(numbers.size());
  for (int32_t number : numbers) out += raw(number);
  return out;
}

GgufFile gguf_model(const ModelConfig& c, uint64_t seed, GgufFlavour flavour) {
  GgufFile file;
  const std::string architecture = flavour == GgufFlavour::kLlamaCpp ? "gpt-oss" : "gptoss";
  const auto count = [&](const char* key, uint32_t number) { file.set(architecture + "." + key, gguf_uint32(number)); };
  const auto number = [&](const char* key, float value) { file.set(architecture + "." + key, gguf_float32(value)); };
  file.set("general.architecture", gguf_string(architecture));
  file.set("general.alignment", gguf_uint32(static_cast<uint32_t>(file.alignment)));
  count("block_count", c.num_layers);
  count("context_length", c.max_context);
  count("embedding_length", c.hidden);
  count("feed_forward_length", c.intermediate);
  count("attention.head_count", c.num_heads);
  count("attention.head_count_kv", c.num_kv_heads);
  count("attention.key_length", c.head_dim);
  count("attention.value_length", c.head_dim);
  count("attention.sliding_window", c.sliding_window);
  count("expert_count", c.num_experts);
  count("expert_used_count", c.experts_per_token);
  number("attention.layer_norm_rms_epsilon", c.rms_norm_eps);
  number("rope.freq_base", c.rope_theta);
  number("rope.scaling.factor", c.rope_factor);
  count("rope.scaling.original_context_length", c.original_context);
  if (flavour == GgufFlavour::kLlamaCpp) {
    count("expert_feed_forward_length", c.intermediate);
    file.set(architecture + ".rope.scaling.type", gguf_string("yarn"));
  }
  add_vocabulary(file, c.vocab_size);
  file.tensors = ModelWriter(c, seed, flavour).tensors();
  return file;
}

void write_split_gguf(const std::string& stem, const GgufFile& model, uint32_t parts) {
  for (uint32_t part = 0; part < parts; ++part) {
    GgufFile file;
    if (part == 0) file.values = model.values;
    file.set("split.no", gguf_uint16(static_cast<uint16_t>(part)));
    file.set("split.count", gguf_uint16(static_cast<uint16_t>(parts)));
    const size_t first = part * model.tensors.size() / parts, last = (part + 1) * model.tensors.size() / parts;
    file.tensors.assign(model.tensors.begin() + static_cast<ptrdiff_t>(first),
                        model.tensors.begin() + static_cast<ptrdiff_t>(last));
    write_file(fmt::format("{}-{:05}-of-{:05}.gguf", stem, part + 1, parts), file.bytes());
  }
}

}  // namespace gossamer::testing
