#pragma once

#include <memory>
#include <optional>
#include <string>

#include "harmony/frame_rules.h"
#include "harmony/frame_vocabulary.h"
#include "harmony/header_grammar.h"
#include "sampling/token_constraint.h"

namespace gossamer::harmony {

/// Keeps an answer in harmony's frames, whatever is sampled. It begins behind <|start|>assistant:
///
///     turn := (message <|end|> <|start|>"assistant")* last
///     last := final message (<|return|> or <|end|>) | call <|call|>
///
/// Headers are those of HeaderGrammar; bodies are text tokens. It leaves the content of messages alone but for what the
/// rules say: bodies with a constraint of their own, and reasoning that has a budget, which ends by <|end|> where it is
/// spent. docs/structured-output.md has the table.
class FrameAutomaton final : public TokenConstraint {
 public:
  /// Errors: as check_frame_rules(); calls where the vocabulary has no <|call|>.
  static Result<std::unique_ptr<FrameAutomaton>> create(std::shared_ptr<const FrameVocabulary> vocabulary,
                                                        FrameRules rules);

  Result<const TokenMask*> allowed() override;
  bool has_mask_at_hand() const override;
  Status accept(TokenId token) override;
  bool may_end() const override { return state_ == State::kComplete; }
  bool must_end() const override { return state_ == State::kComplete; }
  std::unique_ptr<TokenConstraint> clone() const override;

 private:
  enum class State : uint8_t { kHeader, kBody, kBetween, kComplete };
  /// What does not change while an answer grows.
  struct Request {
    std::shared_ptr<const FrameVocabulary> vocabulary;
    FrameRules rules;
    HeaderGrammar headers;
  };

  explicit FrameAutomaton(std::shared_ptr<const Request> request);
  FrameAutomaton(const FrameAutomaton& other);

  const FrameVocabulary& vocabulary() const { return *request_->vocabulary; }
  HeaderPermits permits() const;
  bool in_reasoning() const;
  bool budget_is_spent() const;
  uint8_t body_ends() const;

  const TokenMask* header_mask();
  void allow_text(const HeaderPlace& place, std::string& path, uint64_t path_hash, TokenMask& mask) const;
  Result<const TokenMask*> body_mask();
  TokenMask& empty_mask();

  bool accept_in_header(TokenId token);
  Status accept_in_body(TokenId token);
  void begin_body();
  bool end_body(TokenId token);

  std::shared_ptr<const Request> request_;
  State state_ = State::kHeader;
  HeaderPlace header_;                     // of the message that is being written
  std::unique_ptr<TokenConstraint> body_;  // kBody, where the body has one
  uint32_t num_tokens_ = 0, reasoning_tokens_ = 0;
  std::optional<TokenMask> scratch_;  // where no constant mask will do
};

}  // namespace gossamer::harmony
