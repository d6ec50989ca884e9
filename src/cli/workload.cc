#include "cli/workload.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/json.h"
#include "base/mmap_file.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestDatasetBytes = 4ull << 30;

/// "512" or "100-900".
struct Lengths {
  uint32_t least = 0, most = 0;

  static Result<Lengths> parse(const std::string& text) {
    Lengths lengths;
    const char* const end = text.data() + text.size();
    const auto [after, error] = std::from_chars(text.data(), end, lengths.least);
    lengths.most = lengths.least;
    bool good = error == std::errc() && lengths.least > 0;
    if (good && after != end) {
      const auto [last, wrong] = std::from_chars(after + 1, end, lengths.most);
      good = (*after == '-' || *after == ':') && wrong == std::errc() && last == end && lengths.most >= lengths.least;
    }
    if (!good)
      return make_error(ErrorCode::kInvalidInput,
                        "\"{}\" is not a number of tokens; write 512, or 100-900 for any between", text);
    return lengths;
  }
  uint32_t draw(std::mt19937_64& random) const { return std::uniform_int_distribution<uint32_t>(least, most)(random); }
};

Result<std::vector<WorkItem>> made_up(const WorkloadOptions& options, const WorkloadLimits& limits) {
  GOS_TRY(const Lengths input, Lengths::parse(options.input_tokens.empty() ? "512" : options.input_tokens));
  GOS_TRY(const Lengths output, Lengths::parse(options.output_tokens.empty() ? "128" : options.output_tokens));
  if (uint64_t{input.most} + output.most > limits.max_sequence_tokens)
    return make_error(ErrorCode::kInvalidInput, "{} and {} tokens together are more than the {} that fit; shorten them",
                      input.most, output.most, limits.max_sequence_tokens);
  std::mt19937_64 random(options.seed);
  // the last ids of a vocabulary are frame tokens: a prompt has none of its own
  std::uniform_int_distribution<TokenId> any_token(0, limits.vocab_size - limits.vocab_size / 50 - 1);
  std::vector<WorkItem> items(options.requests);
  for (WorkItem& item : items) {
    item.prompt.resize(input.draw(random));
    for (TokenId& token : item.prompt) token = any_token(random);
    item.output_tokens = output.draw(random);
  }
  return items;
}

/// What a turn says, where the user or the assistant says it.
std::optional<std::string> said_by(const json::value& turn, std::initializer_list<std::string_view> speakers) {
  if (!turn.is_object()) return std::nullopt;
  const auto field = [&](std::initializer_list<std::string_view> names) -> const json::value* {
    for (const std::string_view name : names)
      if (const json::value* value = turn.get_object().if_contains(name); value && value->is_string()) return value;
    return nullptr;
  };
  const json::value *speaker = field({"from", "role"}), *text = field({"value", "content"});
  if (!speaker || !text) return std::nullopt;
  for (const std::string_view name : speakers)
    if (speaker->get_string() == name) return std::string(text->get_string());
  return std::nullopt;
}

/// The first question of a user and the answer to it; nothing where there is none.
std::optional<std::pair<std::string, std::string>> first_turn(const json::value& row) {
  if (!row.is_object()) return std::nullopt;
  for (const std::string_view list : {"conversations", "conversation", "messages"}) {
    const json::value* turns = row.get_object().if_contains(list);
    if (!turns || !turns->is_array()) continue;
    const json::array& all = turns->get_array();
    for (size_t i = 0; i + 1 < all.size(); ++i) {
      auto question = said_by(all[i], {"human", "user"});
      auto answer = said_by(all[i + 1], {"gpt", "assistant", "chatgpt", "bard", "bing"});
      if (question && answer) return std::pair{*std::move(question), *std::move(answer)};
    }
  }
  return std::nullopt;
}

Result<std::vector<WorkItem>> from_dataset(const WorkloadOptions& options, const WorkloadLimits& limits) {
  if (!limits.tokenizer)
    return make_error(ErrorCode::kInvalidInput,
                      "a dataset is text, and this model has no tokenizer; give lengths instead");
  std::optional<Lengths> output;
  if (!options.output_tokens.empty()) {
    GOS_TRY(output, Lengths::parse(options.output_tokens));
  }
  GOS_TRY(const std::string text, read_file(options.dataset, kLargestDatasetBytes));
  GOS_TRY(auto turns, parse_conversations(text, options.dataset));
  std::mt19937_64 random(options.seed);
  std::shuffle(turns.begin(), turns.end(), random);
  std::vector<WorkItem> items;
  for (const auto& [question, answer] : turns) {
    if (items.size() == options.requests) break;
    WorkItem item;
    item.prompt = limits.tokenizer->encode(question);
    item.output_tokens = output ? output->draw(random) : static_cast<uint32_t>(limits.tokenizer->encode(answer).size());
    const bool fits = item.prompt.size() + item.output_tokens <= limits.max_sequence_tokens;
    if (fits && !item.prompt.empty() && item.output_tokens > 0) items.push_back(std::move(item));
  }
  if (items.empty())
    return make_error(
        ErrorCode::kInvalidInput,
        "{} has no conversation with a question and an answer that fit; ShareGPT's form is "
        "[{{\"conversations\": [{{\"from\": \"human\", \"value\": \"...\"}}, {{\"from\": \"gpt\", ...}}]}}]",
        options.dataset);
  return items;
}

/// A scalar of the file as text, from `section` or from the top; empty where there is none.
std::string setting(const YAML::Node& root, const char* section, const char* key) {
  const YAML::Node part = root[section];
  if (part.IsDefined() && part.IsMap())
    if (const YAML::Node node = part[key]; node.IsDefined() && node.IsScalar()) return node.Scalar();
  const YAML::Node node = root[key];
  return node.IsDefined() && node.IsScalar() ? node.Scalar() : std::string();
}

/// The whole of `text` as a number from `least` to `most`.
template <class Number>
Result<Number> number_of(const std::string& text, std::string_view key, Number least, Number most) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= least && number <= most))
    return make_error(ErrorCode::kInvalidInput, "{} is \"{}\", but a number from {} to {} is wanted", key, text, least,
                      most);
  return number;
}

Result<ThroughputConfig> config_of(const YAML::Node& root) {
  if (!root.IsMap()) return make_error(ErrorCode::kInvalidInput, "it is not a list of settings (key: value)");
  ThroughputConfig config;
  config.model = setting(root, "engine", "model_path");
  config.dataset = setting(root, "data", "dataset_path");
  config.input_tokens = setting(root, "data", "input_len");
  config.output_tokens = setting(root, "data", "output_len");
  if (const std::string size = setting(root, "engine", "max_batch_size"); !size.empty()) {
    GOS_TRY(config.max_batch_size, number_of<uint32_t>(size, "max_batch_size", 1, 4096));
  }
  if (const std::string share = setting(root, "engine", "cache_max_entry_count"); !share.empty()) {
    GOS_TRY(config.cache_share, number_of<double>(share, "cache_max_entry_count", 0.001, 1));
  }
  if (const std::string policy = setting(root, "engine", "quant_policy"); !policy.empty()) {
    GOS_TRY(const uint32_t bits, number_of<uint32_t>(policy, "quant_policy", 0, 8));
    if (bits != 0 && bits != 4 && bits != 8)
      return make_error(ErrorCode::kInvalidInput, "quant_policy is {}, but 0, 4 and 8 are known", bits);
    config.kv_dtype = bits == 0 ? "bf16" : "int8";
    if (bits == 4) config.warnings.push_back("quant_policy 4 (int4) is not offered: int8 is used");
  }
  if (const std::string backend = setting(root, "engine", "backend"); !backend.empty() && backend != "gossamer")
    config.warnings.push_back(fmt::format("backend {} is another engine's: gossamer runs", backend));
  return config;
}

}  // namespace

Result<std::vector<WorkItem>> make_workload(const WorkloadOptions& options, const WorkloadLimits& limits) {
  if (options.requests == 0)
    return make_error(ErrorCode::kInvalidInput, "there are no requests to run: --requests is 0");
  return options.dataset.empty() ? made_up(options, limits) : from_dataset(options, limits);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_conversations(const std::string& text,
                                                                             const std::string& name) {
  boost::system::error_code error;
  const json::value rows = json::parse(text, error);
  if (error || !rows.is_array())
    return make_error(ErrorCode::kInvalidInput, "{} is not a JSON list of conversations{}", name,
                      error ? ": " + error.message() : "");
  std::vector<std::pair<std::string, std::string>> turns;
  for (const json::value& row : rows.get_array())
    if (auto turn = first_turn(row)) turns.push_back(*std::move(turn));
  return turns;
}

Result<ThroughputConfig> read_throughput_config(const std::string& path) {
  GOS_TRY(const std::string text, read_file(path, 1 << 20));
  return parse_throughput_config(text, path);
}

Result<ThroughputConfig> parse_throughput_config(const std::string& text, const std::string& name) {
  try {
    Result<ThroughputConfig> config = config_of(YAML::Load(text));
    if (config.ok()) return config;
    return make_error(ErrorCode::kInvalidInput, "{}: {}", name, config.error().message);
  } catch (const std::exception& wrong) {  // yaml-cpp reports by exceptions; none leaves this function
    return make_error(ErrorCode::kInvalidInput, "{}: {}", name, wrong.what());
  }
}

}  // namespace gossamer::cli
