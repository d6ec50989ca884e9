#include "server/answer_limits.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <random>

#include "server/request_fields.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

/// {"50256": -100}: keys are token ids as text.
std::vector<std::pair<TokenId, float>> read_logit_bias(JsonReader& reader, uint32_t head_rows) {
  const json::object* biases = reader.object("logit_bias");
  if (!biases) return {};
  if (biases->size() > fields::kMostLogitBias) {
    reader.fail("logit_bias", fmt::format("\"logit_bias\" names {} tokens, at most {} are allowed", biases->size(),
                                          fields::kMostLogitBias));
    return {};
  }
  std::vector<std::pair<TokenId, float>> list;
  for (const auto& [key, value] : *biases) {
    TokenId token = 0;
    const char* const end = key.data() + key.size();
    const auto [read_to, failure] = std::from_chars(key.data(), end, token);
    if (failure != std::errc() || read_to != end || token >= head_rows) {
      reader.fail("logit_bias", fmt::format("\"logit_bias\" has the key \"{}\": keys are token ids below {}",
                                            std::string_view(key).substr(0, 40), head_rows));
      return {};
    }
    const double bias = value.is_number() ? value.to_number<double>() : fields::kLogitBias.max + 1;
    if (bias < fields::kLogitBias.min || bias > fields::kLogitBias.max) {
      reader.fail("logit_bias", fmt::format("the bias of token {} must be a number between {} and {}", token,
                                            fields::kLogitBias.min, fields::kLogitBias.max));
      return {};
    }
    list.emplace_back(token, static_cast<float>(bias));
  }
  return list;
}

std::vector<TokenId> read_stop_token_ids(JsonReader& reader, uint32_t head_rows) {
  const json::array* ids = reader.array("stop_token_ids");
  if (!ids) return {};
  std::vector<TokenId> tokens;
  for (const json::value& id : *ids) {
    const bool valid = id.is_number() && id.to_number<double>() >= 0 && id.to_number<double>() < head_rows;
    if (!valid || tokens.size() == fields::kMostStops) {
      reader.fail("stop_token_ids", fmt::format("\"stop_token_ids\" must be a list of at most {} token ids below {}",
                                                fields::kMostStops, head_rows));
      return {};
    }
    tokens.push_back(static_cast<TokenId>(id.to_number<double>()));
  }
  return tokens;
}

std::vector<std::string> read_stops(JsonReader& reader) {
  std::vector<std::string> stops = reader.texts("stop", fields::kMostStops);
  std::erase(stops, "");  // some clients send [""] and mean none
  for (const std::string& stop : stops)
    if (stop.size() > fields::kMostStopBytes)
      reader.fail("stop", fmt::format("a text in \"stop\" has {} bytes, at most {} are allowed", stop.size(),
                                      fields::kMostStopBytes));
  return stops;
}

/// What would change the answer, and cannot be done: better no answer than another one.
void refuse_what_is_not_there(JsonReader& reader) {
  if (const json::array* ids = reader.array("allowed_token_ids"); ids && !ids->empty())
    reader.fail(
        "allowed_token_ids",
        "\"allowed_token_ids\" is not supported; \"structured_outputs\": {\"choice\": [...]} makes the answer one "
        "of several texts, and \"regex\" there says which characters it has");
  if (const json::array* words = reader.array("bad_words"); words && !words->empty())
    reader.fail("bad_words",
                "\"bad_words\" is not supported; \"logit_bias\" with -100 keeps a token out of the answer");
  if (reader.any("prompt_logprobs"))
    reader.fail("prompt_logprobs",
                "\"prompt_logprobs\" is not supported; /v1/completions scores a prompt with \"echo\" and \"logprobs\"");
}

/// "service_tier": flex is for work that can wait, the others are one.
Priority read_service_tier(JsonReader& reader) {
  constexpr std::string_view kTiers[] = {"auto", "default", "flex", "priority", "scale"};
  const std::string tier = reader.text("service_tier").value_or("auto");
  if (std::ranges::find(kTiers, tier) == std::end(kTiers))
    reader.fail(
        "service_tier",
        fmt::format("\"service_tier\" is \"{}\", it must be auto, default, flex, priority or scale", shown(tier)));
  return tier == "flex" ? Priority::kBatch : Priority::kInteractive;
}

SamplingParams read_sampling(JsonReader& reader, const ServedModel& model) {
  const GenerationDefaults& defaults = model.defaults();
  SamplingParams sampling;
  const double temperature = defaults.do_sample ? defaults.temperature : 0;
  sampling.temperature = static_cast<float>(reader.number(fields::kTemperature).value_or(temperature));
  sampling.top_p = static_cast<float>(reader.number(fields::kTopP).value_or(defaults.top_p));
  if (sampling.top_p == 0) sampling.top_k = 1, sampling.top_p = 1;  // some clients mean the likeliest token by it
  if (const auto top_k = reader.whole(fields::kTopK))
    sampling.top_k = static_cast<uint32_t>(std::max<int64_t>(*top_k, 0));
  else if (sampling.top_k == 0)
    sampling.top_k = defaults.top_k;
  sampling.min_p = static_cast<float>(reader.number(fields::kMinP).value_or(0));
  sampling.presence_penalty = static_cast<float>(reader.number(fields::kPresencePenalty).value_or(0));
  sampling.frequency_penalty = static_cast<float>(reader.number(fields::kFrequencyPenalty).value_or(0));
  sampling.repetition_penalty = static_cast<float>(reader.number(fields::kRepetitionPenalty).value_or(1));
  sampling.logit_bias = read_logit_bias(reader, model.tokenizer()->head_rows());
  constexpr int64_t kNoSeed = -1;  // as vLLM and llama.cpp have it
  const int64_t seed = reader.whole(fields::kSeed).value_or(kNoSeed);
  sampling.seed = seed == kNoSeed ? random_seed() : static_cast<uint64_t>(seed);
  return sampling;
}

}  // namespace

uint64_t random_seed() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return generator();
}

std::optional<uint32_t> read_reasoning_budget(JsonReader& reader) {
  std::optional<int64_t> budget;
  for (const std::string_view name : {"reasoning_budget", "thinking_budget", "thinking_token_budget"})
    if (!budget) budget = reader.whole({name, -1, fields::kMostTokens});
  const json::value* reasoning = reader.any("reasoning");
  if (!budget && reasoning && reasoning->is_object())
    budget = reader.inside(reasoning->get_object(), reader.place("reasoning")).whole(fields::kReasoningMaxTokens);
  if (!budget || *budget < 0) return std::nullopt;
  return static_cast<uint32_t>(*budget);
}

std::optional<uint32_t> read_token_limit(JsonReader& reader, const WholeField& field) {
  const std::optional<int64_t> limit = reader.whole(field);
  if (!limit) return std::nullopt;
  if (*limit == 0)
    reader.fail(field.name, fmt::format("\"{}\" is 0, it must be at least 1, or -1 for as many as the context holds",
                                        reader.place(field.name)));
  return static_cast<uint32_t>(std::max<int64_t>(*limit, 0));
}

AnswerLimits read_limits(JsonReader& reader, const ServedModel& model) {
  AnswerLimits limits;
  limits.sampling = read_sampling(reader, model);
  limits.min_tokens = static_cast<uint32_t>(reader.whole(fields::kMinTokens).value_or(0));
  limits.ignore_eos = reader.boolean("ignore_eos").value_or(false);
  limits.stop = read_stops(reader);
  limits.stop_token_ids = read_stop_token_ids(reader, model.tokenizer()->head_rows());
  limits.shows_stop = reader.boolean("include_stop_str_in_output").value_or(false);
  if (const auto timeout_ms = reader.whole(fields::kTimeoutMs))
    limits.timeout_seconds = static_cast<double>(*timeout_ms) / 1e3;
  // As vLLM orders it, lower is sooner; two classes are what the engine has.
  limits.priority = read_service_tier(reader);
  if (reader.whole(fields::kPriority).value_or(0) > 0) limits.priority = Priority::kBatch;
  refuse_what_is_not_there(reader);
  return limits;
}

}  // namespace gossamer::server
