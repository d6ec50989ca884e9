#include "harmony/conforming_parser.h"

#include "base/utf8.h"
#include "harmony/conforming_header.h"

namespace gossamer::harmony {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// How bytes begin: that many of well-formed text, then that many of one ill-formed piece (0: none, or it may become a
/// character with the next bytes).
struct TextPrefix {
  size_t text_bytes = 0;
  size_t bad_bytes = 0;
};

TextPrefix text_prefix(std::string_view bytes) {
  TextPrefix prefix;
  Utf8Stream stream;
  std::string decided;
  for (size_t i = 0; i < bytes.size(); ++i) {
    decided.clear();
    stream.feed(bytes.substr(i, 1), decided);
    if (decided.empty()) continue;
    if (decided != bytes.substr(prefix.text_bytes, i + 1 - prefix.text_bytes)) {
      prefix.bad_bytes = std::max<size_t>(i - prefix.text_bytes, 1);
      return prefix;
    }
    prefix.text_bytes = i + 1;
  }
  return prefix;
}

}  // namespace

Status ConformingParser::feed(TokenId token) {
  if (failure_) return *failure_;
  begin_step();
  Status status = step(token);
  if (!status.ok()) failure_ = status.error();
  return status;
}

Status ConformingParser::finish() {
  if (failure_) return *failure_;
  begin_step();
  if (state() == ParserState::kHeader) {
    failure_ =
        make_error(ErrorCode::kInvalidInput, "the tokens end inside a message header: no <|message|> followed it");
    return *failure_;
  }
  if (state() == ParserState::kContent) close_content();
  return {};
}

Status ConformingParser::step(TokenId token) {
  switch (state()) {
    case ParserState::kExpectStart:
      return read_start(token);
    case ParserState::kHeader:
      return read_header(token);
    case ParserState::kContent:
      read_content(token);
      return {};
  }
  return {};
}

Status ConformingParser::read_start(TokenId token) {
  if (token != frame_.start) {
    return make_error(ErrorCode::kInvalidInput, "token {} stands between messages, where only <|start|> ({}) may stand",
                      token, frame_.start);
  }
  begin_header();
  return {};
}

Status ConformingParser::read_header(TokenId token) {
  if (token == frame_.message) return complete_header();
  if (!strict_ && frame_.is_stop(token)) return abandon_header();
  header_.push_back(token);
  return {};
}

Status ConformingParser::complete_header() {
  expect_start();  // the state that an error leaves behind
  GOS_TRY(std::string text, header_text());
  GOS_TRY(ConformingHeader header, parse_conforming_header(std::move(text), expected_role(), true));
  if (header.rest) {
    return make_error(ErrorCode::kInvalidInput, "a message header has words that are no part of one: \"{}\"",
                      *header.rest);
  }
  header_.clear();
  begin_content(std::move(header.message));
  return {};
}

/// A stop token came before <|message|>. Where the author is known, all but the channel becomes content.
Status ConformingParser::abandon_header() {
  if (expected_role() && !header_.empty()) {
    GOS_TRY(std::string text, header_text());
    GOS_TRY(ConformingHeader header, parse_conforming_header(std::move(text), expected_role(), false));
    begin_content(std::move(header.message));
    add_text(header.rest.value_or(""));
    end_content();
  }
  header_.clear();
  forget_expected_role();
  expect_start();
  return {};
}

Result<std::string> ConformingParser::header_text() const {
  std::string text;
  for (TokenId token : header_) {
    const std::optional<std::string> piece = token_text(token);
    if (!piece)
      return make_error(ErrorCode::kInvalidInput, "token {} in a message header is not in the vocabulary", token);
    text.append(*piece);
  }
  if (!utf8_valid(text)) return make_error(ErrorCode::kInvalidInput, "a message header is not well-formed UTF-8");
  return text;
}

/// openai-harmony names every id from 200014 to 201088 "<|reserved_N|>", one more than the model's head has rows.
std::optional<std::string> ConformingParser::token_text(TokenId token) const {
  constexpr TokenId kO200kStart = 200006, kFirstReserved = 200014, kLastReserved = 201088;
  if (frame_.start == kO200kStart && token >= kFirstReserved && token <= kLastReserved) {
    return fmt::format("<|reserved_{}|>", token);
  }
  if (tokenizer_->kind(token) == TokenKind::kUnnamed) return std::nullopt;
  return std::string(tokenizer_->token_bytes(token));
}

/// Brings out at most one ill-formed piece a token: what stands behind it waits for the next one.
void ConformingParser::read_content(TokenId token) {
  if (frame_.is_stop(token)) return close_content();
  const std::optional<std::string> bytes = token_text(token);
  lost_ = lost_ || !bytes;
  if (lost_) return;
  undecoded_.append(*bytes);
  const TextPrefix prefix = text_prefix(undecoded_);
  std::string text = undecoded_.substr(0, prefix.text_bytes);
  if (prefix.bad_bytes > 0) text.append(kReplacement);
  undecoded_.erase(0, prefix.text_bytes + prefix.bad_bytes);
  add_text(text);
}

void ConformingParser::close_content() {
  if (std::exchange(lost_, false)) add_text(kReplacement);
  add_text(utf8_lossy(std::exchange(undecoded_, {})));
  end_content();
}

}  // namespace gossamer::harmony
