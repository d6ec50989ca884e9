#pragma once

#include <optional>

#include "server/generation.h"
#include "server/json_reader.h"
#include "server/served_model.h"

namespace gossamer::server {

/// Sampling and ends from the fields that all of OpenAI's interfaces share: temperature, top_p, presence_penalty,
/// frequency_penalty, logit_bias, seed, stop; and vLLM's top_k, min_p, repetition_penalty, min_tokens, ignore_eos,
/// stop_token_ids, include_stop_str_in_output, priority; service_tier, timeout_ms. What others have and this server has
/// not (allowed_token_ids, bad_words, prompt_logprobs) is a problem. Not max_tokens and logprobs, which are spelt
/// differently everywhere. What is absent comes from the model's own defaults; a seed is random then.
AnswerLimits read_limits(JsonReader& reader, const ServedModel& model);

/// The most tokens of reasoning: "reasoning_budget", "thinking_budget", "thinking_token_budget", as servers have it, or
/// "max_tokens" of "reasoning". Negative: any number.
std::optional<uint32_t> read_reasoning_budget(JsonReader& reader);

/// How many tokens an answer may have, from the field that an interface has for it; nothing: it is absent. 0: to the
/// end of the context.
std::optional<uint32_t> read_token_limit(JsonReader& reader, const WholeField& field);

/// A seed that nobody chose.
uint64_t random_seed();

}  // namespace gossamer::server
