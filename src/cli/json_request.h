#pragma once
/// Fields of one line of JSON that a program sent us. Errors name the field. Fields that nobody asks for are passed
/// over: a line may carry more than one command needs.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/token.h"

namespace gossamer::cli {

/// A required text.
Result<std::string> text_field(const json::object& line, std::string_view key);
/// A required list of token ids, each from 0 to 2^32 - 1.
Result<std::vector<TokenId>> tokens_field(const json::object& line, std::string_view key);
/// A number; nothing where the field is absent or null.
Result<std::optional<double>> number_field(const json::object& line, std::string_view key);
/// A whole number from 0 to 2^64 - 1; nothing where the field is absent or null.
Result<std::optional<uint64_t>> integer_field(const json::object& line, std::string_view key);

json::array tokens_json(const std::vector<TokenId>& tokens);

}  // namespace gossamer::cli
