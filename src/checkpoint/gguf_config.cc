#include "checkpoint/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/shape.h"

namespace gossamer {
namespace {

constexpr std::string_view kArchitectures[] = {"gpt-oss", "gptoss"};
constexpr int32_t kControlToken = 3;  // llama.cpp's token type of special tokens

/// Reads keys below one prefix; the first fault is kept.
class GgufFields {
 public:
  GgufFields(const GgufHeader& header, std::string prefix, std::string_view what)
      : header_(header), prefix_(std::move(prefix)), what_(what) {}

  const GgufValue* find(std::string_view key) const { return header_.find(prefix_ + std::string(key)); }

  uint32_t count(std::string_view key) {
    const GgufValue* value = require(key);
    if (!value) return 0;
    const auto number = value->as_uint();
    if (number && *number <= std::numeric_limits<uint32_t>::max()) return static_cast<uint32_t>(*number);
    fail(make_error(ErrorCode::kInvalidInput, "{}: {}{} is {}, not a whole number from 0 to 4294967295", what_, prefix_,
                    key, value->text()));
    return 0;
  }

  float number(std::string_view key) {
    const GgufValue* value = require(key);
    if (!value) return 0;
    const auto number = value->as_number();
    if (number && std::abs(*number) <= double{std::numeric_limits<float>::max()}) return static_cast<float>(*number);
    fail(make_error(ErrorCode::kInvalidInput, "{}: {}{} is {}, not a number that fits 32 bits", what_, prefix_, key,
                    value->text()));
    return 0;
  }

  float number_or(std::string_view key, float fallback) { return find(key) ? number(key) : fallback; }

  const Status& status() const { return status_; }

 private:
  const GgufValue* require(std::string_view key) {
    const GgufValue* value = find(key);
    if (!value) fail(make_error(ErrorCode::kInvalidInput, "{} has no key {}{}", what_, prefix_, key));
    return value;
  }

  void fail(Error error) {
    if (status_.ok()) status_ = std::move(error);
  }

  const GgufHeader& header_;
  std::string prefix_;
  std::string_view what_;
  Status status_;
};

Result<std::string> read_architecture(const GgufHeader& header, std::string_view what) {
  const GgufValue* value = header.find("general.architecture");
  if (!value) return make_error(ErrorCode::kInvalidInput, "{} has no key general.architecture", what);
  const auto name = value->as_string();
  if (!name || std::ranges::find(kArchitectures, *name) == std::end(kArchitectures))
    return make_error(ErrorCode::kUnsupported, "{}: general.architecture is {}, but gossamer runs gpt-oss models", what,
                      value->text());
  return std::string(*name);
}

/// gpt-oss has YaRN; files by Ollama leave the type out.
Status check_rope_type(const GgufFields& fields, std::string_view what) {
  const GgufValue* value = fields.find("rope.scaling.type");
  if (!value) return {};
  const auto type = value->as_string();
  if (type && *type == "yarn") return {};
  return make_error(ErrorCode::kUnsupported, "{}: rope.scaling.type is {}, but gpt-oss has yarn", what, value->text());
}

Result<uint32_t> read_vocab_size(const GgufHeader& header, std::string_view what) {
  const auto embedding = std::ranges::find(header.tensors, "token_embd.weight", &GgufTensor::name);
  if (embedding == header.tensors.end() || embedding->shape.size() != 2)
    return make_error(ErrorCode::kInvalidInput, "{} has no matrix token_embd.weight, the embedding", what);
  const uint64_t rows = embedding->shape[0];
  if (rows > std::numeric_limits<uint32_t>::max())
    return make_error(ErrorCode::kInvalidInput, "{}: token_embd.weight has {} rows, more than any vocabulary", what,
                      rows);
  return static_cast<uint32_t>(rows);
}

/// The value of a key as `read` gives it. Errors: the key is missing or `read` finds another type than `wanted`.
template <class T>
Result<T> require(const GgufHeader& header, std::string_view key, std::optional<T> (GgufValue::*read)() const,
                  std::string_view wanted, std::string_view what) {
  const GgufValue* value = header.find(key);
  if (!value) return make_error(ErrorCode::kInvalidInput, "{} has no key {}", what, key);
  auto result = (value->*read)();
  if (!result) return make_error(ErrorCode::kInvalidInput, "{}: {} is {}, not {}", what, key, value->text(), wanted);
  return std::move(*result);
}

}  // namespace

Result<ModelConfig> read_gguf_config(const GgufHeader& header, std::string_view what) {
  GOS_TRY(const std::string architecture, read_architecture(header, what));
  GgufFields fields(header, architecture + ".", what);
  ModelConfig model;
  model.num_layers = fields.count("block_count");
  model.hidden = fields.count("embedding_length");
  model.intermediate =
      fields.count(fields.find("expert_feed_forward_length") ? "expert_feed_forward_length" : "feed_forward_length");
  model.num_heads = fields.count("attention.head_count");
  model.num_kv_heads = fields.count("attention.head_count_kv");
  model.head_dim = fields.count("attention.key_length");
  model.num_experts = fields.count("expert_count");
  model.experts_per_token = fields.count("expert_used_count");
  model.sliding_window = fields.count("attention.sliding_window");
  model.max_context = fields.count("context_length");
  model.original_context = fields.count("rope.scaling.original_context_length");
  model.rope_theta = fields.number("rope.freq_base");
  model.rope_factor = fields.number("rope.scaling.factor");
  model.rope_beta_fast = fields.number_or("rope.scaling.yarn_beta_fast", model.rope_beta_fast);
  model.rope_beta_slow = fields.number_or("rope.scaling.yarn_beta_slow", model.rope_beta_slow);
  model.rms_norm_eps = fields.number("attention.layer_norm_rms_epsilon");
  GOS_TRY_STATUS(fields.status());
  GOS_TRY_STATUS(check_rope_type(fields, what));
  GOS_TRY(model.vocab_size, read_vocab_size(header, what));
  GOS_TRY_STATUS(check_config(model, what));
  return model;
}

Result<GenerationDefaults> read_gguf_generation(const GgufHeader& header, const GgufVocabulary* vocabulary,
                                                std::string_view what) {
  GenerationDefaults defaults;
  const auto add = [&](uint64_t id) {
    if (id <= std::numeric_limits<TokenId>::max() && std::ranges::find(defaults.eos_ids, id) == defaults.eos_ids.end())
      defaults.eos_ids.push_back(static_cast<TokenId>(id));
  };
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const GgufValue* value = header.find(key);
    if (!value) continue;
    const auto id = value->as_uint();
    if (!id) return make_error(ErrorCode::kInvalidInput, "{}: {} is {}, not a token id", what, key, value->text());
    add(*id);
  }
  if (const GgufValue* value = header.find("tokenizer.ggml.eos_token_ids")) {
    const auto ids = value->as_integers();
    if (!ids)
      return make_error(ErrorCode::kInvalidInput, "{}: tokenizer.ggml.eos_token_ids is {}, not a list of token ids",
                        what, value->text());
    for (int64_t id : *ids)
      if (id >= 0) add(static_cast<uint64_t>(id));
  }
  if (vocabulary) {
    for (size_t id = 0; id < vocabulary->tokens.size(); ++id)
      if (vocabulary->types[id] == kControlToken &&
          (vocabulary->tokens[id] == "<|return|>" || vocabulary->tokens[id] == "<|call|>"))
        add(id);
  }
  return defaults;
}

Result<std::shared_ptr<const GgufVocabulary>> read_gguf_vocabulary(const GgufHeader& header, std::string_view what) {
  if (!header.find("tokenizer.ggml.model") && !header.find("tokenizer.ggml.tokens"))
    return std::shared_ptr<const GgufVocabulary>();
  GOS_TRY(const std::string_view model,
          require(header, "tokenizer.ggml.model", &GgufValue::as_string, "a string", what));
  GOS_TRY(auto tokens, require(header, "tokenizer.ggml.tokens", &GgufValue::as_strings, "a list of strings", what));
  GOS_TRY(const auto types,
          require(header, "tokenizer.ggml.token_type", &GgufValue::as_integers, "a list of whole numbers", what));
  GOS_TRY(auto merges, require(header, "tokenizer.ggml.merges", &GgufValue::as_strings, "a list of strings", what));
  if (types.size() != tokens.size())
    return make_error(ErrorCode::kInvalidInput, "{}: the vocabulary has {} tokens, but {} token types", what,
                      tokens.size(), types.size());
  auto vocabulary = std::make_shared<GgufVocabulary>();
  vocabulary->model = model;
  vocabulary->tokens = std::move(tokens);
  vocabulary->types.assign(types.begin(), types.end());
  vocabulary->merges = std::move(merges);
  // Ollama's files of 2025 say "default" or nothing, although their vocabulary is the same.
  const GgufValue* pre = header.find("tokenizer.ggml.pre");
  const auto pre_name = pre ? pre->as_string() : std::nullopt;
  vocabulary->pre = pre_name && *pre_name != "default" ? std::string(*pre_name) : "gpt-4o";
  return std::shared_ptr<const GgufVocabulary>(std::move(vocabulary));
}

std::string read_gguf_name(const GgufHeader& header) {
  const GgufValue* value = header.find("general.name");
  const auto name = value ? value->as_string() : std::nullopt;
  return name ? excerpt(*name) : "";
}

}  // namespace gossamer
