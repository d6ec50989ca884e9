#pragma once

#include <memory>
#include <optional>

#include "base/utf8.h"
#include "harmony/frame_tokens.h"
#include "harmony/lenient_header.h"
#include "harmony/parser_core.h"

namespace gossamer::harmony {

/// Our own grammar: total. No text is lost, no tool call is invented, no analysis leaks into another channel.
/// Ids that stand for no text (unnamed, reserved, out of range, markers out of place) say nothing.
class LenientParser final : public ParserCore {
 public:
  LenientParser(std::shared_ptr<const Tokenizer> tokenizer, const FrameTokens& frame, std::optional<Role> role);

  Status feed(TokenId token) override;
  Status finish() override;

 private:
  void read_marker(LenientHeader::Marker marker);
  void read_message_marker();
  void read_text(std::string_view bytes);
  void open_header(HeaderOrigin origin);
  void ensure_header();
  void abandon_header();
  void close();
  void add_bytes(std::string_view bytes);

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const FrameTokens frame_;
  const std::optional<TokenId> end_of_text_;  // <|endoftext|> ends generation, hence a message
  const Role default_role_;                   // of a message that <|start|> begins without naming one
  std::optional<LenientHeader> header_;       // while the state is kHeader
  Utf8Stream utf8_;                           // of the content
};

}  // namespace gossamer::harmony
