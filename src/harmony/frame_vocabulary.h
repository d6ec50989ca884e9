#pragma once

#include <array>
#include <memory>

#include "base/result.h"
#include "base/token_mask.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

inline constexpr TokenId kNoFrameToken = 0xFFFFFFFFu;

/// Which tokens may end a message, one bit each.
enum BodyEnd : uint8_t { kEndsByEnd = 1, kEndsByReturn = 2, kEndsByCall = 4 };

/// What frames need of a tokenizer: the ids of its frame tokens, and the masks of message bodies, which are the same
/// for every request. Made once for a tokenizer.
class FrameVocabulary {
 public:
  /// Errors: no <|start|>, <|channel|>, <|message|> or <|end|>, which every frame needs; the sentence names it.
  /// <|constrain|>, <|call|> and <|return|> may be missing: then nothing is framed with them.
  static Result<std::shared_ptr<const FrameVocabulary>> create(std::shared_ptr<const Tokenizer> tokenizer);

  TokenId start() const { return start_; }
  TokenId channel() const { return channel_; }
  TokenId message() const { return message_; }
  TokenId end() const { return end_; }
  TokenId constrain() const { return constrain_; }  ///< or kNoFrameToken
  TokenId call() const { return call_; }            ///< or kNoFrameToken
  TokenId ret() const { return return_; }           ///< or kNoFrameToken

  uint32_t vocab_size() const { return bodies_[0].vocab_size(); }
  /// Every text token, and the enders of `ends` that the vocabulary has.
  const TokenMask& body(uint8_t ends) const { return bodies_[ends]; }
  /// The enders alone.
  void allow_ends(uint8_t ends, TokenMask& mask) const;

  std::optional<TokenId> text_token(std::string_view bytes) const { return tokenizer_->text_token(bytes); }
  bool is_text(TokenId token) const { return token < vocab_size() && bodies_[0].allows(token); }
  std::string_view bytes(TokenId token) const { return tokenizer_->token_bytes(token); }
  size_t longest_text_bytes() const { return longest_text_bytes_; }

 private:
  explicit FrameVocabulary(std::shared_ptr<const Tokenizer> tokenizer);
  void find_text_tokens();

  static constexpr size_t kNumEnds = 8;  // every set of enders
  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenId start_ = kNoFrameToken, channel_ = kNoFrameToken, message_ = kNoFrameToken, end_ = kNoFrameToken;
  TokenId constrain_ = kNoFrameToken, call_ = kNoFrameToken, return_ = kNoFrameToken;
  std::vector<TokenMask> bodies_;  // [kNumEnds]
  size_t longest_text_bytes_ = 0;
};

}  // namespace gossamer::harmony
