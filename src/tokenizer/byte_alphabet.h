#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gossamer {

/// GPT-2's byte-level alphabet: tokenizer.json and GGUF write each byte of a token as one printable character ("Ġthe"
/// is " the").

/// The bytes that `printable` spells; nothing where it has a character outside the alphabet.
std::optional<std::string> bytes_of_printable(std::string_view printable);

/// The same, appended to `out`; false (and `out` as it was) where a character is outside the alphabet.
bool append_bytes_of_printable(std::string_view printable, std::string& out);

/// Appends `bytes` as the characters that spell them.
void append_printable(std::string_view bytes, std::string& out);

/// True where `printable` spells `bytes`.
bool printable_spells(std::string_view printable, std::string_view bytes);

}  // namespace gossamer
