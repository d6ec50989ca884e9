#include "tokenizer/special_tokens.h"

#include <algorithm>
#include <functional>

namespace gossamer {
namespace {

constexpr size_t kMaxNameBytes = 256;  // bounds the work of find_in for each byte of text

template <class T>
void sort_unique(T& values, auto order) {
  std::sort(values.begin(), values.end(), order);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

Result<SpecialTokens> SpecialTokens::build(std::vector<std::pair<TokenId, std::string>> tokens, std::string_view what) {
  SpecialTokens specials;
  specials.tokens_ = std::move(tokens);
  std::sort(specials.tokens_.begin(), specials.tokens_.end());
  for (size_t i = 0; i < specials.tokens_.size(); ++i) {
    const auto& [id, name] = specials.tokens_[i];
    if (name.empty() || name.size() > kMaxNameBytes)
      return make_error(ErrorCode::kInvalidInput, "{}: the name of special token {} has {} bytes, wanted 1 to {}", what,
                        id, name.size(), kMaxNameBytes);
    if (i > 0 && specials.tokens_[i - 1].first == id)
      return make_error(ErrorCode::kInvalidInput, "{}: id {} is given to two special tokens, {} and {}", what, id,
                        specials.tokens_[i - 1].second, name);
    const auto [earlier, added] = specials.by_name_.emplace(name, id);
    if (!added)
      return make_error(ErrorCode::kInvalidInput, "{}: the special tokens {} and {} are both named {}", what,
                        earlier->second, id, name);
    specials.lengths_.push_back(name.size());
    specials.first_bytes_.push_back(name.front());
  }
  sort_unique(specials.lengths_, std::greater<>());
  sort_unique(specials.first_bytes_, std::less<>());
  return specials;
}

std::string_view SpecialTokens::name(TokenId id) const {
  const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), id,
                                   [](const auto& token, TokenId wanted) { return token.first < wanted; });
  return at != tokens_.end() && at->first == id ? std::string_view(at->second) : std::string_view();
}

std::optional<TokenId> SpecialTokens::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? std::nullopt : std::optional(at->second);
}

std::optional<SpecialTokens::Found> SpecialTokens::find_in(std::string_view text, size_t from) const {
  while ((from = text.find_first_of(first_bytes_, from)) != std::string_view::npos) {
    for (size_t length : lengths_) {
      if (length > text.size() - from) continue;
      if (const auto id = find(text.substr(from, length))) return Found{from, from + length, *id};
    }
    ++from;
  }
  return std::nullopt;
}

}  // namespace gossamer
