#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harmony/frame_tokens.h"
#include "harmony/parser_core.h"

namespace gossamer::harmony {

/// openai-harmony's own grammar, 0.0.8. Strict and not differ in one thing: a stop token inside a header.
class ConformingParser final : public ParserCore {
 public:
  ConformingParser(std::shared_ptr<const Tokenizer> tokenizer, const FrameTokens& frame, std::optional<Role> role,
                   bool strict)
      : ParserCore(role), tokenizer_(std::move(tokenizer)), frame_(frame), strict_(strict) {}

  Status feed(TokenId token) override;
  Status finish() override;

 private:
  Status step(TokenId token);
  Status read_start(TokenId token);
  Status read_header(TokenId token);
  void read_content(TokenId token);
  Status complete_header();
  Status abandon_header();
  Result<std::string> header_text() const;
  std::optional<std::string> token_text(TokenId token) const;
  void close_content();

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const FrameTokens frame_;
  const bool strict_;
  std::optional<Error> failure_;
  std::vector<TokenId> header_;  // tokens of the header that is being read
  std::string undecoded_;        // bytes of the content that are no text yet
  bool lost_ = false;            // an unknown id came: nothing decodes until the message ends
};

}  // namespace gossamer::harmony
