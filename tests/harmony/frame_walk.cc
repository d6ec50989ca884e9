#include "harmony/frame_walk.h"

#include <map>
#include <mutex>
#include <stdexcept>

namespace gossamer::harmony::testing {

std::unique_ptr<TokenConstraint> make_automaton(const std::shared_ptr<const Tokenizer>& tokenizer,
                                                const FrameRules& rules) {
  static std::map<std::shared_ptr<const Tokenizer>, std::shared_ptr<const FrameVocabulary>> made;
  auto& vocabulary = made[tokenizer];
  if (!vocabulary) vocabulary = FrameVocabulary::create(tokenizer).value();
  Result<std::unique_ptr<FrameAutomaton>> automaton = FrameAutomaton::create(vocabulary, rules);
  if (!automaton.ok()) throw std::runtime_error(automaton.error().message);
  return std::move(*automaton);
}

size_t accepted_tokens(TokenConstraint& constraint, const std::vector<TokenId>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    const TokenMask& mask = **constraint.allowed();
    const bool allowed = tokens[i] < mask.vocab_size() && mask.allows(tokens[i]);
    const bool accepted = constraint.accept(tokens[i]).ok();
    if (allowed != accepted)
      throw std::runtime_error("the mask and accept() disagree on token " + std::to_string(tokens[i]));
    if (!accepted) return i;
  }
  return tokens.size();
}

MaskSampler::MaskSampler(std::shared_ptr<const Tokenizer> tokenizer, uint32_t seed, uint32_t one_in)
    : tokenizer_(std::move(tokenizer)), random_(seed), one_in_(one_in) {
  for (TokenId token = 0; token < tokenizer_->head_rows(); ++token)
    if (tokenizer_->kind(token) == TokenKind::kSpecial) specials_.push_back(token);
}

TokenId MaskSampler::draw(const TokenMask& mask) {
  std::vector<TokenId> choice;
  for (TokenId special : specials_)
    if (mask.allows(special)) choice.push_back(special);
  if (!choice.empty() && below(one_in_) == 0) return choice[below(static_cast<uint32_t>(choice.size()))];
  for (int tries = 0; tries < 64; ++tries)  // most masks allow nearly everything
    if (const TokenId token = below(mask.vocab_size()); mask.allows(token)) return token;
  choice.clear();
  const auto words = mask.words();
  for (uint32_t word = 0; word < words.size(); ++word)
    for (uint32_t bits = words[word]; bits != 0; bits &= bits - 1)
      choice.push_back(32 * word + static_cast<uint32_t>(std::countr_zero(bits)));
  if (choice.empty()) throw std::runtime_error("a mask allows nothing");
  return choice[below(static_cast<uint32_t>(choice.size()))];
}

}  // namespace gossamer::harmony::testing
