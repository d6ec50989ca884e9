#include "harmony/lenient_parser.h"

#include <utility>

namespace gossamer::harmony {

LenientParser::LenientParser(std::shared_ptr<const Tokenizer> tokenizer, const FrameTokens& frame,
                             std::optional<Role> role)
    : ParserCore(role),
      tokenizer_(std::move(tokenizer)),
      frame_(frame),
      end_of_text_(tokenizer_->special("<|endoftext|>")),
      default_role_(role.value_or(Role::kAssistant)) {
  if (role) header_.emplace(HeaderOrigin::kPrompt, HeaderDefaults{*role, std::nullopt, std::nullopt});
}

Status LenientParser::feed(TokenId token) {
  begin_step();
  if (frame_.is_stop(token) || token == end_of_text_) {
    close();
  } else if (token == frame_.start) {
    close();
    open_header(HeaderOrigin::kStart);
  } else if (token == frame_.message) {
    read_message_marker();
  } else if (token == frame_.channel) {
    // In the midst of content this is a message whose frame is missing: going on would mix its channel with this one.
    if (state() == ParserState::kContent) close();
    read_marker(LenientHeader::Marker::kChannel);
  } else if (token == frame_.constrain) {
    if (state() != ParserState::kContent) read_marker(LenientHeader::Marker::kConstrain);
  } else if (tokenizer_->kind(token) == TokenKind::kText) {
    read_text(tokenizer_->token_bytes(token));
  }
  return {};
}

Status LenientParser::finish() {
  begin_step();
  close();
  return {};
}

void LenientParser::read_marker(LenientHeader::Marker marker) {
  ensure_header();
  header_->add_marker(marker);
}

void LenientParser::read_message_marker() {
  if (state() == ParserState::kContent) return;
  ensure_header();
  begin_content(std::exchange(header_, std::nullopt)->complete());
}

void LenientParser::read_text(std::string_view bytes) {
  if (state() == ParserState::kContent) return add_bytes(bytes);
  ensure_header();
  header_->add_bytes(bytes);
  if (!header_->may_be_header()) abandon_header();
}

void LenientParser::open_header(HeaderOrigin origin) {
  HeaderDefaults defaults{default_role_, std::nullopt, std::nullopt};
  if (!messages().empty()) {
    const Message& before = messages().back();
    defaults.channel = before.channel;
    if (origin == HeaderOrigin::kImplied) {
      defaults.role = before.role;
      defaults.name = before.name;
    }
  }
  header_.emplace(origin, std::move(defaults));
  begin_header();
}

void LenientParser::ensure_header() {
  if (!header_) open_header(HeaderOrigin::kImplied);
}

/// The header turns out to be none: it becomes a message with its text as content, which stays open.
void LenientParser::abandon_header() {
  LenientHeader::Unfinished unfinished = std::exchange(header_, std::nullopt)->abandon();
  forget_expected_role();
  if (unfinished.is_empty()) return expect_start();
  begin_content(std::move(unfinished.message));
  add_bytes(unfinished.text);
}

/// Ends the message that is open, if one is.
void LenientParser::close() {
  if (state() == ParserState::kHeader) abandon_header();
  if (state() != ParserState::kContent) return;
  std::string rest;
  utf8_.flush(rest);
  add_text(rest);
  end_content();
}

void LenientParser::add_bytes(std::string_view bytes) {
  std::string text;
  utf8_.feed(bytes, text);
  add_text(text);
}

}  // namespace gossamer::harmony
