#include "checkpoint/summary.h"

#include <cmath>
#include <filesystem>

#include "checkpoint/model_facts.h"

namespace gossamer {
namespace {

constexpr uint32_t kShortContext = 4096;  // what a plain conversation takes
constexpr size_t kBarWidth = 20;
constexpr size_t kMaxFilesShown = 8;

/// "20.9 B", "7.1 M", "512": three or four figures, powers of 1000.
std::string short_number(uint64_t number, std::string_view unit) {
  constexpr std::string_view kPrefixes[] = {"", "k", "M", "G", "T"};
  double value = static_cast<double>(number);
  size_t prefix = 0;
  while (value >= 999.95 && prefix + 1 < std::size(kPrefixes)) {
    value /= 1000;
    ++prefix;
  }
  if (prefix == 0) return fmt::format("{}{}{}", number, unit.empty() ? "" : " ", unit);
  const std::string_view letter = unit.empty() && kPrefixes[prefix] == "G" ? "B" : kPrefixes[prefix];
  return fmt::format("{:.1f} {}{}", value, letter, unit);
}

std::string parameters_text(uint64_t count) {
  return short_number(count, "");
}
std::string dtypes_text(const std::vector<Dtype>& dtypes) {
  std::vector<std::string_view> names;
  for (Dtype dtype : dtypes) names.push_back(dtype_name(dtype));
  return fmt::format("{}", fmt::join(names, ", "));
}

double share_of(uint64_t part, uint64_t whole) {
  return whole ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void append_line(std::string& out, std::string_view label, const std::string& value) {
  out += fmt::format("  {:<12} {}\n", label, value);
}

void append_groups(std::string& out, const ModelFacts& facts) {
  out += fmt::format("\n  {:<10} {:>10}  {:<12} {:>10} {:>7}\n", "part", "parameters", "stored as", "size", "share");
  for (const TensorGroup& group : facts.groups) {
    const double share = share_of(group.size_bytes, facts.weight_bytes);
    const std::string bar(static_cast<size_t>(std::lround(share * kBarWidth)), '#');
    out +=
        fmt::format("  {:<10} {:>10}  {:<12} {:>10} {:>5.1f} %{}{}\n", group.name, parameters_text(group.parameters),
                    dtypes_text(group.dtypes), bytes_text(group.size_bytes), 100 * share, bar.empty() ? "" : "  ", bar);
  }
  out += fmt::format("  {:<10} {:>10}  {:<12} {:>10}\n", "all", parameters_text(facts.total_parameters), "",
                     bytes_text(facts.weight_bytes));
}

void append_files(std::string& out, const Checkpoint& checkpoint, const ModelFacts& facts) {
  const auto& files = checkpoint.files();
  out += fmt::format("\n  {} file{}, {}\n", files.size(), files.size() == 1 ? "" : "s", bytes_text(facts.file_bytes));
  for (size_t i = 0; i < files.size() && i < kMaxFilesShown; ++i)
    out += fmt::format("    {:<40} {:>10}\n", std::filesystem::path(files[i].path()).filename().string(),
                       bytes_text(files[i].size_bytes()));
  if (files.size() > kMaxFilesShown) out += fmt::format("    and {} more\n", files.size() - kMaxFilesShown);
}

void append_memory(std::string& out, const ModelConfig& config, const ModelFacts& facts) {
  out += fmt::format("\n  memory for one conversation: weights {}, and {} a token for keys and values\n",
                     bytes_text(facts.weight_bytes), bytes_text(facts.kv_bytes_per_token));
  for (uint32_t tokens : {kShortContext, config.max_context})
    if (tokens <= config.max_context)
      out += fmt::format("    {:>7} tokens {:>12}\n", tokens, bytes_text(memory_needed(facts, tokens)));
}

json::array groups_json(const ModelFacts& facts) {
  json::array groups;
  for (const TensorGroup& group : facts.groups) {
    json::array dtypes;
    for (Dtype dtype : group.dtypes) dtypes.emplace_back(dtype_name(dtype));
    groups.push_back(json::object{{"name", group.name},
                                  {"parameters", group.parameters},
                                  {"dtypes", std::move(dtypes)},
                                  {"bytes", group.size_bytes},
                                  {"share", share_of(group.size_bytes, facts.weight_bytes)}});
  }
  return groups;
}

json::array files_json(const Checkpoint& checkpoint) {
  json::array files;
  for (const MmapFile& file : checkpoint.files())
    files.push_back(
        json::object{{"name", std::filesystem::path(file.path()).filename().string()}, {"bytes", file.size_bytes()}});
  return files;
}

}  // namespace

std::string bytes_text(uint64_t bytes) {
  return short_number(bytes, "B");
}

std::string show_text(const Checkpoint& checkpoint) {
  const ModelConfig& c = checkpoint.config();
  const ModelFacts facts = compute_facts(checkpoint);
  const uint32_t sliding = (c.num_layers + 1) / 2;
  std::string out = fmt::format("{}\n", checkpoint.name());
  append_line(out, "from", checkpoint.path());
  append_line(out, "format", std::string(format_name(checkpoint.format())));
  append_line(out, "parameters",
              fmt::format("{} total, {} active for a token", parameters_text(facts.total_parameters),
                          parameters_text(facts.active_parameters)));
  append_line(out, "layers",
              fmt::format("{}: {} with a sliding window of {}, {} with full attention", c.num_layers, sliding,
                          c.sliding_window, c.num_layers - sliding));
  append_line(out, "hidden", fmt::format("{}, intermediate {}", c.hidden, c.intermediate));
  append_line(out, "heads",
              fmt::format("{} for queries, {} for keys and values, {} wide", c.num_heads, c.num_kv_heads, c.head_dim));
  append_line(out, "experts", fmt::format("{} in a layer, {} active for a token", c.num_experts, c.experts_per_token));
  append_line(out, "vocabulary", fmt::format("{}", c.vocab_size));
  append_line(out, "context",
              fmt::format("{} tokens ({} before YaRN, factor {})", c.max_context, c.original_context, c.rope_factor));
  append_groups(out, facts);
  append_files(out, checkpoint, facts);
  append_memory(out, c, facts);
  return out;
}

json::object show_json(const Checkpoint& checkpoint) {
  const ModelConfig& c = checkpoint.config();
  const ModelFacts facts = compute_facts(checkpoint);
  const uint32_t sliding = (c.num_layers + 1) / 2;
  return {{"name", checkpoint.name()},
          {"path", checkpoint.path()},
          {"format", format_name(checkpoint.format())},
          {"parameters", {{"total", facts.total_parameters}, {"active", facts.active_parameters}}},
          {"layers", {{"total", c.num_layers}, {"sliding", sliding}, {"full", c.num_layers - sliding}}},
          {"sliding_window", c.sliding_window},
          {"hidden", c.hidden},
          {"intermediate", c.intermediate},
          {"heads", {{"query", c.num_heads}, {"key_value", c.num_kv_heads}, {"dimension", c.head_dim}}},
          {"experts", {{"total", c.num_experts}, {"active", c.experts_per_token}}},
          {"vocabulary", c.vocab_size},
          {"context", {{"maximum", c.max_context}, {"original", c.original_context}, {"yarn_factor", c.rope_factor}}},
          {"parts", groups_json(facts)},
          {"weight_bytes", facts.weight_bytes},
          {"files", files_json(checkpoint)},
          {"kv_bytes_per_token", facts.kv_bytes_per_token},
          {"memory_bytes_at_maximum_context", memory_needed(facts, c.max_context)}};
}

}  // namespace gossamer
