#pragma once

#include <string_view>

namespace gossamer {

/// Whether `text` is, byte for byte, the tokenizer.json that gpt-oss-20b and -120b were published with (27,868,174
/// bytes, sha256 0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3). Takes milliseconds, where parsing
/// it takes half a second.
bool is_published_tokenizer_json(std::string_view text);

}  // namespace gossamer
