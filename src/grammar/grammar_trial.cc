#include "grammar/grammar_trial.h"

#include <bit>
#include <chrono>
#include <random>
#include <string>
#include <vector>

namespace gossamer::grammar {
namespace {

constexpr int kTokens = 24;  // of a trial: some names and values of an object

using Clock = std::chrono::steady_clock;

/// The tokens of one byte: brackets, quotes and digits are among them, and lead through a grammar's parts.
TokenMask single_bytes(const Tokenizer& tokenizer, uint32_t vocab_size) {
  TokenMask bytes(vocab_size, false);
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    if (const auto token = tokenizer.text_token({&character, 1})) bytes.allow(*token);
  }
  return bytes;
}

/// One of the mask's tokens, each as likely as the others.
TokenId draw(const TokenMask& mask, std::minstd_rand& random) {
  uint32_t skip = static_cast<uint32_t>(random() % mask.count());
  const auto words = mask.words();
  for (uint32_t word = 0; word < words.size(); ++word) {
    const auto here = static_cast<uint32_t>(std::popcount(words[word]));
    if (skip >= here) {
      skip -= here;
      continue;
    }
    uint32_t bits = words[word];
    while (skip-- > 0) bits &= bits - 1;
    return 32 * word + static_cast<uint32_t>(std::countr_zero(bits));
  }
  return 0;
}

/// One text. `preferred`: null, any token of a mask; else one of these where the mask has some.
Status follow_text(TokenConstraint& text, const TokenMask* preferred, std::minstd_rand& random,
                   Clock::time_point until) {
  for (int i = 0; i < kTokens && !text.must_end() && Clock::now() < until; ++i) {
    GOS_TRY(const TokenMask* allowed, text.allowed());
    TokenMask choice = *allowed;
    if (preferred) choice.intersect(*preferred);
    if (choice.count() == 0) choice = *allowed;
    if (choice.count() == 0)
      return make_error(ErrorCode::kInvalidInput, "{}", i == 0 ? "no text fits it" : "no token leads on from a place");
    GOS_TRY_STATUS(text.accept(draw(choice, random)));
  }
  return {};
}

}  // namespace

Status try_grammar(const GrammarConstraint& constraint, double seconds) {
  const Vocabulary& vocabulary = constraint.vocabulary();
  const TokenMask bytes = single_bytes(vocabulary.tokenizer(), vocabulary.vocab_size());
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::minstd_rand random(1);
  for (const TokenMask* preferred : {&bytes, &bytes, static_cast<const TokenMask*>(nullptr)})
    GOS_TRY_STATUS(follow_text(*constraint.clone(), preferred, random, until));
  return {};
}

}  // namespace gossamer::grammar
