#pragma once
/// Random walks through the masks of grammars.

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "sampling/token_constraint.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::grammar::testing {

/// The demo model's tokenizer: 2,816 tokens, so that walks take milliseconds.
std::shared_ptr<const Tokenizer> demo_tokenizer();

/// Schemas that are taken, by name: those of JSON-Schema-Test-Suite in kind, and of tools as people write them. All of
/// good_schemas.json, and one with a thousand properties.
const std::vector<std::pair<std::string, std::string>>& good_schemas();

/// Draws tokens from masks: closing quotes and brackets in a third of the draws, else single bytes or any token, so
/// that texts are odd and end all the same.
class WalkSampler {
 public:
  WalkSampler(const Tokenizer& tokenizer, uint32_t seed);
  TokenId draw(const TokenMask& mask);
  uint32_t below(uint32_t bound) { return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_); }

 private:
  std::optional<TokenId> one_of(const std::vector<TokenId>& tokens, const TokenMask& mask);

  std::mt19937 random_;
  std::vector<TokenId> closers_, bytes_;
};

/// The tokens of a whole answer; nothing where there is none after `max_tokens`. Throws what the constraint says where
/// it fails, and where mask and accept() disagree.
std::optional<std::vector<TokenId>> walk(TokenConstraint& constraint, WalkSampler& sampler, size_t max_tokens);

/// The text of `tokens`, without special ones.
std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens);

}  // namespace gossamer::grammar::testing
