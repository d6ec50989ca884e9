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

  /// A hash of bytes, grown byte by byte from 0.
  static uint64_t grown_hash(uint64_t hash, unsigned char byte) { return (hash + byte + 1) * 0x9E3779B97F4A7C15u; }
  /// False where no text token begins with the bytes of this hash: those who look for tokens need not go on.
  bool may_begin_token(uint64_t hash) const { return beginnings_[hash >> kHashShift]; }

 private:
  explicit FrameVocabulary(std::shared_ptr<const Tokenizer> tokenizer);
  void find_text_tokens();
  void add_beginnings(std::string_view bytes);

  static constexpr size_t kNumEnds = 8;  // every set of enders
  static constexpr int kHashBits = 22, kHashShift = 64 - kHashBits;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenId start_ = kNoFrameToken, channel_ = kNoFrameToken, message_ = kNoFrameToken, end_ = kNoFrameToken;
  TokenId constrain_ = kNoFrameToken, call_ = kNoFrameToken, return_ = kNoFrameToken;
  std::vector<TokenMask> bodies_;  // [kNumEnds]
  std::vector<bool> beginnings_;   // by the upper bits of a hash: of every beginning of a text token
};

}  // namespace gossamer::harmony
