#pragma once

#include <string>

#include "tokenizer/spelled_vocabulary.h"

namespace gossamer {

/// `vocabulary` as a Hugging Face tokenizer.json with the o200k split pattern. The whole of o200k_harmony becomes, byte
/// for byte, the file that gpt-oss was published with (28 MB).
std::string write_tokenizer_json(const SpelledVocabulary& vocabulary);

}  // namespace gossamer
