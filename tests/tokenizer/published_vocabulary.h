#pragma once
/// The published files of gpt-oss' tokenizer, written anew from the vocabulary inside the program.

#include <string>
#include <utility>
#include <vector>

namespace gossamer::test {

/// `bytes` in the byte-level alphabet.
std::string printable(std::string_view bytes);

/// The text tokens of o200k in the byte-level alphabet, by id.
std::vector<std::string> o200k_printable_tokens();

/// The 446,189 merges of the published files: every split of every token into two, by token, then by left part.
const std::vector<std::pair<std::string, std::string>>& o200k_printable_merges();

/// The published tokenizer.json, byte for byte.
const std::string& published_tokenizer_json();

}  // namespace gossamer::test
