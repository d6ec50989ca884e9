#include "cli/sampling_options.h"

#include <charconv>
#include <limits>
#include <random>

#include "cli/json_request.h"

namespace gossamer::cli {
namespace {

/// The number options, once for the command line and for JSON (where the name is the long option's with underscores).
struct NumberField {
  const char* names;
  const char* json_name;
  std::optional<float> SamplingOptions::* value;
  const char* help;
};
constexpr NumberField kNumbers[] = {
    {"-t,--temperature,--temp", "temperature", &SamplingOptions::temperature,
     "0: always the likeliest token (default: the model's own)"},
    {"--top-p", "top_p", &SamplingOptions::top_p,
     "Only the likeliest tokens that together have this probability (default: the model's own)"},
    {"--min-p", "min_p", &SamplingOptions::min_p,
     "Only tokens at least this likely, of the likeliest one (default: 0)"},
    {"--repeat-penalty,--repetition-penalty", "repetition_penalty", &SamplingOptions::repetition_penalty,
     "Above 1: tokens that occurred become less likely (default: 1)"},
    {"--presence-penalty", "presence_penalty", &SamplingOptions::presence_penalty,
     "Taken from the logit of tokens in the answer, -2 to 2 (default: 0)"},
    {"--frequency-penalty", "frequency_penalty", &SamplingOptions::frequency_penalty,
     "The same for each time a token occurred, -2 to 2 (default: 0)"},
};
struct IntegerField {
  const char* names;
  const char* json_name;
  std::optional<uint64_t> SamplingOptions::* value;
  const char* help;
};
constexpr IntegerField kIntegers[] = {
    {"--top-k", "top_k", &SamplingOptions::top_k,
     "Only the K likeliest tokens; 0: no limit (default: the model's own)"},
    {"--seed", "seed", &SamplingOptions::seed, "Same seed, same answer (default: random, shown by --verbose)"},
    {"-n,--max-tokens,--num-predict", "max_tokens", &SamplingOptions::max_tokens,
     "Longest answer in tokens (default: what the context holds)"},
};

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T number;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<std::pair<TokenId, float>> parse_logit_bias(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto id = parse_number<TokenId>(text.substr(0, colon));
    const auto bias = parse_number<float>(text.substr(colon + 1));
    if (id && bias) return std::pair(*id, *bias);
  }
  return make_error(ErrorCode::kInvalidInput, "a logit bias is ID:VALUE, as 13225:-5, not '{}'", text);
}

Result<uint32_t> fit_uint32(uint64_t value, std::string_view name) {
  if (value > std::numeric_limits<uint32_t>::max())
    return make_error(ErrorCode::kInvalidInput, "{} cannot be {}", name, value);
  return static_cast<uint32_t>(value);
}

}  // namespace

void SamplingOptions::declare(Options& options) {
  for (const NumberField& field : kNumbers) options.number(field.names, this->*field.value, field.help);
  for (const IntegerField& field : kIntegers) options.integer(field.names, this->*field.value, field.help);
  options.list("--logit-bias", logit_bias, "VALUE is added to the logit of token ID; may be given several times",
               "ID:VALUE");
}

Result<SamplingOptions> SamplingOptions::from_json(const json::object& line) {
  SamplingOptions options;
  for (const NumberField& field : kNumbers) {
    GOS_TRY(const std::optional<double> value, number_field(line, field.json_name));
    if (value) options.*field.value = static_cast<float>(*value);
  }
  for (const IntegerField& field : kIntegers) {
    GOS_TRY(options.*field.value, integer_field(line, field.json_name));
  }
  if (const json::value* bias = line.if_contains("logit_bias"); bias && !bias->is_null()) {
    if (!bias->is_object())
      return make_error(ErrorCode::kInvalidInput, "\"logit_bias\" must be an object of token ids and numbers");
    for (const auto& [id, value] : bias->get_object())
      options.logit_bias.push_back(std::string(id) + ":" + json::serialize(value));
  }
  return options;
}

Result<SamplingParams> SamplingOptions::resolve(const GenerationDefaults& defaults) const {
  SamplingParams params;
  params.temperature = temperature.value_or(defaults.do_sample ? defaults.temperature : 0.f);
  params.top_p = top_p.value_or(defaults.top_p);
  GOS_TRY(params.top_k, fit_uint32(top_k.value_or(defaults.top_k), "top_k"));
  params.min_p = min_p.value_or(params.min_p);
  params.repetition_penalty = repetition_penalty.value_or(params.repetition_penalty);
  params.presence_penalty = presence_penalty.value_or(params.presence_penalty);
  params.frequency_penalty = frequency_penalty.value_or(params.frequency_penalty);
  for (const std::string& text : logit_bias) {
    GOS_TRY(auto bias, parse_logit_bias(text));
    params.logit_bias.push_back(bias);
  }
  params.seed = seed ? *seed : std::random_device()();
  GOS_TRY_STATUS(params.validate());
  return params;
}

Result<uint32_t> SamplingOptions::resolve_max_tokens() const {
  return fit_uint32(max_tokens.value_or(0), "max_tokens");
}

}  // namespace gossamer::cli
