#pragma once
/// Walks through frame automatons, for tests.

#include <random>
#include <string>
#include <vector>

#include "harmony/frame_automaton.h"

namespace gossamer::harmony::testing {

/// An automaton over `tokenizer`, whose vocabulary is made once for each.
std::unique_ptr<TokenConstraint> make_automaton(const std::shared_ptr<const Tokenizer>& tokenizer,
                                                const FrameRules& rules);

/// How far `tokens` are allowed: their number where all are.
size_t accepted_tokens(TokenConstraint& constraint, const std::vector<TokenId>& tokens);

/// Draws from masks: any allowed token, but one that is no text in one of `one_in` draws where there is one, so that
/// bodies end before a vocabulary of 200,000 ends them.
class MaskSampler {
 public:
  MaskSampler(std::shared_ptr<const Tokenizer> tokenizer, uint32_t seed, uint32_t one_in = 8);
  TokenId draw(const TokenMask& mask);
  uint32_t below(uint32_t bound) { return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::mt19937 random_;
  uint32_t one_in_;
  std::vector<TokenId> specials_;
};

}  // namespace gossamer::harmony::testing
