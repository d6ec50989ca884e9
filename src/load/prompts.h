#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::load {

/// A prompt: a text, or, where `messages` has any, a conversation as chat completions take it.
struct Prompt {
  std::string text;
  json::array messages = {};
};

/// The prompts of a file: one a line, or, where its first line begins with {, one JSON object a line with `prompt` (a
/// text) or `messages`. Blank lines are passed over. `name` is what errors call the file. Errors: a line that is none
/// of these, by its number; no prompt at all.
Result<std::vector<Prompt>> parse_prompts(std::string_view file_text, std::string_view name);

/// Of about `tokens` tokens: everyday words in an order that follows from `seed` alone, so that no prefix cache has
/// seen it before.
Prompt made_up_prompt(uint32_t tokens, uint64_t seed);

}  // namespace gossamer::load
