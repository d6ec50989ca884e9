#pragma once
/// Every number that a request may hold, with its range: the one table. Names are those of the field.

#include "server/json_reader.h"

namespace gossamer::server::fields {

inline constexpr int64_t kMostTokens = int64_t{1} << 30;
inline constexpr int64_t kMostSeed = INT64_MAX;

// How tokens are chosen.
inline constexpr NumberField kTemperature{"temperature", 0, 2};
inline constexpr NumberField kTopP{"top_p", 0, 1};
inline constexpr NumberField kMinP{"min_p", 0, 1};
inline constexpr WholeField kTopK{"top_k", -1, kMostTokens};  ///< -1 and 0: no limit
inline constexpr NumberField kPresencePenalty{"presence_penalty", -2, 2};
inline constexpr NumberField kFrequencyPenalty{"frequency_penalty", -2, 2};
inline constexpr NumberField kRepetitionPenalty{"repetition_penalty", 0.01, 100};
inline constexpr NumberField kRepeatPenalty{"repeat_penalty", 0.01, 100};  ///< Ollama's name of it
inline constexpr NumberField kLogitBias{"logit_bias", -100, 100};
inline constexpr WholeField kSeed{"seed", INT64_MIN, kMostSeed};

// How much is answered.
// -1, as LM Studio and llama.cpp have it: to the end of the context. 0 is for completions alone, and scores the prompt.
inline constexpr WholeField kMaxTokens{"max_tokens", -1, kMostTokens};
inline constexpr WholeField kMaxCompletionTokens{"max_completion_tokens", -1, kMostTokens};
inline constexpr WholeField kMaxOutputTokens{"max_output_tokens", -1, kMostTokens};
inline constexpr WholeField kMinTokens{"min_tokens", 0, kMostTokens};
inline constexpr WholeField kReasoningMaxTokens{"max_tokens", 0,
                                                kMostTokens};             ///< of "reasoning", as OpenRouter has it
inline constexpr WholeField kNumPredict{"num_predict", -2, kMostTokens};  ///< Ollama: -1 and -2 are no limit
inline constexpr WholeField kN{"n", 1, 8};
inline constexpr WholeField kBestOf{"best_of", 1, 8};
inline constexpr WholeField kLogprobs{"logprobs", 0, 20};
inline constexpr WholeField kTopLogprobs{"top_logprobs", 0, 20};
inline constexpr WholeField kTruncatePromptTokens{"truncate_prompt_tokens", -1, kMostTokens};
inline constexpr WholeField kMaxToolCalls{"max_tool_calls", 0, kMostTokens};
inline constexpr WholeField kTimeoutMs{"timeout_ms", 1, int64_t{1} << 40};
inline constexpr WholeField kPriority{"priority", -1'000'000, 1'000'000};

inline constexpr size_t kMostStops = 16;
inline constexpr size_t kMostStopBytes = 1024;
inline constexpr size_t kMostModalities = 8;
inline constexpr size_t kMostTools = 1024;
inline constexpr size_t kMostLogitBias = 1024;
inline constexpr size_t kMostPrompts = 256;  ///< of one /v1/completions

}  // namespace gossamer::server::fields
