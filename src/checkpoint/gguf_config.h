#pragma once
/// What the key-value pairs of a GGUF file say about the model.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "checkpoint/gguf.h"
#include "checkpoint/model_config.h"
#include "tokenizer/tokenizer.h"

namespace gossamer {

/// The hyperparameters. The architecture is `gpt-oss` (llama.cpp, and Ollama since 2026) or `gptoss` (Ollama before);
/// the number of rows of the embedding is the vocabulary size. Errors: another architecture, a key missing, of another
/// type or out of range.
Result<ModelConfig> read_gguf_config(const GgufHeader& header, std::string_view what);

/// End-of-generation ids: tokenizer.ggml.eos_token_id, eot_token_id and eos_token_ids, and the special tokens
/// <|return|> and <|call|> of `vocabulary` (may be null), because llama.cpp writes only the first id and finds the
/// others by name.
Result<GenerationDefaults> read_gguf_generation(const GgufHeader& header, const GgufVocabulary* vocabulary,
                                                std::string_view what);

/// The vocabulary, as views into the file; nullptr where the file has none.
/// Errors: tokens, types or merges of another kind than strings and integers, or of different lengths.
Result<std::shared_ptr<const GgufVocabulary>> read_gguf_vocabulary(const GgufHeader& header, std::string_view what);

/// general.name, empty where the file has none.
std::string read_gguf_name(const GgufHeader& header);

}  // namespace gossamer
