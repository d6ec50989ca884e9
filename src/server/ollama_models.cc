#include "server/ollama_models.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <vector>

#include "checkpoint/model_facts.h"
#include "server/ollama_writer.h"

namespace gossamer::server {
namespace {

constexpr std::string_view kArchitecture = "gptoss";
constexpr int64_t kNanoseconds = 1'000'000'000;

/// "20.9B", "5.8M".
std::string parameter_size(uint64_t parameters) {
  const auto count = static_cast<double>(parameters);
  if (count >= 1e9) return fmt::format("{:.1f}B", count / 1e9);
  if (count >= 1e6) return fmt::format("{:.1f}M", count / 1e6);
  return fmt::format("{:.1f}K", count / 1e3);
}

ModelFacts facts_of(const ServedModel& model) {
  return model.checkpoint() ? compute_facts(*model.checkpoint()) : ModelFacts();
}

/// Tells models apart, as Ollama's digest of a manifest does. It is not made of the weights: they are too many.
std::string digest_of(const ServedModel& model, const ModelFacts& facts) {
  const std::string text = fmt::format("{} {} {}", model.name(), facts.total_parameters, facts.file_bytes);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

json::object details_of(const ServedModel& model, const ModelFacts& facts) {
  const bool is_gguf = model.checkpoint() && model.checkpoint()->format() == CheckpointFormat::kGguf;
  return {{"parent_model", ""},
          {"format", is_gguf ? "gguf" : "safetensors"},
          {"family", kArchitecture},
          {"families", json::array{kArchitecture}},
          {"parameter_size", parameter_size(facts.total_parameters)},
          {"quantization_level", "MXFP4"}};
}

json::object model_info(const ServedModel& model, const ModelFacts& facts) {
  json::object info{{"general.architecture", kArchitecture},
                    {"general.basename", model.name()},
                    {"general.parameter_count", facts.total_parameters},
                    {"gptoss.context_length", model.max_sequence_tokens()}};
  if (!model.checkpoint()) return info;
  const ModelConfig& config = model.checkpoint()->config();
  info["gptoss.block_count"] = config.num_layers;
  info["gptoss.embedding_length"] = config.hidden;
  info["gptoss.feed_forward_length"] = config.intermediate;
  info["gptoss.expert_count"] = config.num_experts;
  info["gptoss.expert_used_count"] = config.experts_per_token;
  info["gptoss.attention.head_count"] = config.num_heads;
  info["gptoss.attention.head_count_kv"] = config.num_kv_heads;
  info["gptoss.attention.sliding_window"] = config.sliding_window;
  info["gptoss.vocab_size"] = config.vocab_size;
  return info;
}

/// What is sampled with where a request says nothing.
std::string parameters_text(const GenerationDefaults& defaults) {
  std::string text =
      fmt::format("temperature {}\ntop_p {}", defaults.do_sample ? defaults.temperature : 0, defaults.top_p);
  return defaults.top_k ? text + fmt::format("\ntop_k {}", defaults.top_k) : text;
}

std::string license_of(const ServedModel& model) {
  return model.name().find("gpt-oss") == std::string::npos ? "" : "Apache License, Version 2.0";
}

bool has_tag(const std::string& name) {
  return name.find(':') != std::string::npos;
}

json::object entry(const ServedModel& model, const ModelFacts& facts, const std::string& name) {
  return {{"name", name},
          {"model", name},
          {"size", facts.file_bytes},
          {"digest", digest_of(model, facts)},
          {"details", details_of(model, facts)}};
}

}  // namespace

std::string ollama_name(const ModelNames& names) {
  if (has_tag(names.name)) return names.name;
  const auto tagged = std::ranges::find_if(names.aliases, has_tag);
  return tagged != names.aliases.end() ? *tagged : names.name + ":latest";
}

json::object ollama_tags(const ServedModel& model) {
  const ModelFacts facts = facts_of(model);
  json::object listed = entry(model, facts, ollama_name(model.names()));
  listed["modified_at"] = rfc3339_nanoseconds(model.created_unix_seconds() * kNanoseconds);
  return {{"models", json::array{std::move(listed)}}};
}

json::object ollama_show(const ServedModel& model) {
  const ModelFacts facts = facts_of(model);
  const std::string parameters = parameters_text(model.defaults());
  return {{"license", license_of(model)},
          {"modelfile", fmt::format("# served by gossamer\nFROM {}\n", ollama_name(model.names()))},
          {"parameters", parameters},
          {"template", ""},
          {"details", details_of(model, facts)},
          {"model_info", model_info(model, facts)},
          {"capabilities", json::array{"completion", "tools", "thinking"}},
          {"modified_at", rfc3339_nanoseconds(model.created_unix_seconds() * kNanoseconds)}};
}

json::object ollama_ps(const ServedModel& model) {
  const ModelFacts facts = facts_of(model);
  json::object listed = entry(model, facts, ollama_name(model.names()));
  listed["size_vram"] = 0;
  listed["context_length"] = model.max_sequence_tokens();
  // It stays for as long as the server runs; clients want a time.
  listed["expires_at"] = "2318-01-01T00:00:00.000000000Z";
  return {{"models", json::array{std::move(listed)}}};
}

}  // namespace gossamer::server
