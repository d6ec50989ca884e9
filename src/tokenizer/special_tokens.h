#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace gossamer {

/// The special tokens of a tokenizer, by id and by name.
class SpecialTokens {
 public:
  SpecialTokens(SpecialTokens&&) = default;  // moves only: by_name_ holds views into tokens_
  SpecialTokens& operator=(SpecialTokens&&) = default;
  /// Errors: an empty or overlong name, a name or an id twice; `what` names the vocabulary.
  static Result<SpecialTokens> build(std::vector<std::pair<TokenId, std::string>> tokens, std::string_view what);

  /// Empty where `id` is not special.
  std::string_view name(TokenId id) const;
  std::optional<TokenId> find(std::string_view name) const;

  struct Found {
    size_t begin, end;
    TokenId id;
  };
  /// The first name that stands in `text` at or after `from`; the longest where several begin there.
  std::optional<Found> find_in(std::string_view text, size_t from) const;

  const std::vector<std::pair<TokenId, std::string>>& tokens() const { return tokens_; }  ///< by id

 private:
  SpecialTokens() = default;

  std::vector<std::pair<TokenId, std::string>> tokens_;    // by id
  std::unordered_map<std::string_view, TokenId> by_name_;  // views into tokens_
  std::vector<size_t> lengths_;                            // of the names, each once, longest first
  std::string first_bytes_;                                // of the names, each once
};

}  // namespace gossamer
