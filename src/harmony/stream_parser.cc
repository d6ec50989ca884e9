#include "harmony/stream_parser.h"

#include <utility>

#include "harmony/conforming_parser.h"
#include "harmony/lenient_parser.h"
#include "harmony/parser_core.h"

namespace gossamer::harmony {

std::optional<ParseMode> parse_mode_from_name(std::string_view name) {
  if (name == "strict") return ParseMode::kStrict;
  if (name == "compatible") return ParseMode::kCompatible;
  if (name == "lenient") return ParseMode::kLenient;
  return std::nullopt;
}

std::string_view parser_state_name(ParserState state) {
  switch (state) {
    case ParserState::kExpectStart:
      return "ExpectStart";
    case ParserState::kHeader:
      return "Header";
    case ParserState::kContent:
      return "Content";
  }
  return "?";
}

Result<StreamParser> StreamParser::create(std::shared_ptr<const Tokenizer> tokenizer, std::optional<Role> role,
                                          ParseMode mode) {
  GOS_TRY(const FrameTokens frame, FrameTokens::from(*tokenizer));
  if (mode == ParseMode::kLenient)
    return StreamParser(std::make_unique<LenientParser>(std::move(tokenizer), frame, role));
  const bool strict = mode == ParseMode::kStrict;
  return StreamParser(std::make_unique<ConformingParser>(std::move(tokenizer), frame, role, strict));
}

StreamParser::StreamParser(std::unique_ptr<ParserCore> core) : core_(std::move(core)) {}
StreamParser::~StreamParser() = default;
StreamParser::StreamParser(StreamParser&&) noexcept = default;
StreamParser& StreamParser::operator=(StreamParser&&) noexcept = default;

Status StreamParser::feed(TokenId token) {
  return core_->feed(token);
}
Status StreamParser::finish() {
  return core_->finish();
}

ParserState StreamParser::state() const {
  return core_->state();
}
std::optional<Role> StreamParser::current_role() const {
  return core_->role();
}
const std::optional<std::string>& StreamParser::current_name() const {
  return core_->open().name;
}
const std::optional<std::string>& StreamParser::current_channel() const {
  return core_->open().channel;
}
const std::optional<std::string>& StreamParser::current_recipient() const {
  return core_->open().recipient;
}
const std::optional<std::string>& StreamParser::current_content_type() const {
  return core_->open().content_type;
}
const std::optional<std::string>& StreamParser::last_delta() const {
  return core_->last_delta();
}
const std::vector<TextDelta>& StreamParser::deltas() const {
  return core_->deltas();
}
const std::vector<Message>& StreamParser::messages() const {
  return core_->messages();
}
const Message& StreamParser::message(size_t idx) const {
  return idx < messages().size() ? messages()[idx] : core_->open();
}

}  // namespace gossamer::harmony
