#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harmony/conversation.h"
#include "harmony/render.h"

namespace gossamer::harmony {

/// kStrict and kCompatible are openai-harmony's strict and non-strict parsing, errors and quirks included (conformance);
/// kLenient is ours and total: every token sequence gives messages, never an error.
enum class ParseMode : uint8_t { kStrict, kCompatible, kLenient };

enum class ParserState : uint8_t { kExpectStart, kHeader, kContent };
std::string_view parser_state_name(ParserState state);  ///< "ExpectStart", "Header", "Content"

/// Takes the tokens of one or more harmony messages, one at a time.
class StreamParser {
 public:
  /// `role`: the author of the first message, whose header begins without <|start|> (what a completion prompt leaves open);
  /// nothing: the tokens begin with <|start|>.
  static Result<StreamParser> create(std::shared_ptr<const Tokenizer> tokenizer, std::optional<Role> role, ParseMode mode);

  /// Feeds one token. Errors (never in kLenient): the token cannot stand here; the parser is then spent.
  Status feed(TokenId token);
  /// No more tokens come. Errors (never in kLenient): a header is unfinished. An open message is closed with what it has.
  Status finish();

  ParserState state() const;
  /// Of the message that is being read; nothing between messages and before a header is complete.
  std::optional<Role> current_role() const;
  const std::optional<std::string>& current_name() const;  ///< of a tool author ("functions.f")
  const std::optional<std::string>& current_channel() const;
  const std::optional<std::string>& current_recipient() const;
  const std::optional<std::string>& current_content_type() const;
  /// Text that the last token added to the content; nothing where it added none (bytes of an unfinished character are held).
  const std::optional<std::string>& last_delta() const;
  /// Messages that are complete. finish() adds the open one.
  const std::vector<Message>& messages() const;

  ~StreamParser();
  StreamParser(StreamParser&&) noexcept;
  StreamParser& operator=(StreamParser&&) noexcept;

 private:
  struct Impl;
  explicit StreamParser(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::harmony
