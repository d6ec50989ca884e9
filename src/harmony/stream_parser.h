#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "harmony/conversation.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

/// kStrict and kCompatible are openai-harmony's strict and non-strict parsing, errors and quirks included.
/// kLenient is ours and total: every token sequence gives messages, never an error. docs/harmony.md compares them.
enum class ParseMode : uint8_t { kStrict, kCompatible, kLenient };

/// "strict", "compatible", "lenient".
std::optional<ParseMode> parse_mode_from_name(std::string_view name);

enum class ParserState : uint8_t { kExpectStart, kHeader, kContent };
std::string_view parser_state_name(ParserState state);  ///< "ExpectStart", "Header", "Content"

/// Text that one token added to a message.
struct TextDelta {
  size_t message_idx;  ///< StreamParser::message(message_idx) is the message, its header complete
  std::string text;    ///< well-formed UTF-8, not empty
};

class ParserCore;

/// Takes the tokens of one or more harmony messages, one at a time.
class StreamParser {
 public:
  /// `role`: the author of the first message, whose header begins without <|start|> (a completion prompt ends inside
  /// it); nothing: the tokens begin with <|start|>. Errors: the vocabulary lacks a token that frames harmony.
  static Result<StreamParser> create(std::shared_ptr<const Tokenizer> tokenizer, std::optional<Role> role,
                                     ParseMode mode);

  /// Feeds one token. Errors (never in kLenient): the token cannot stand here; the parser then stays failed.
  Status feed(TokenId token);
  /// No more tokens come: an open message ends with what it has. Errors (never in kLenient): a header is unfinished.
  Status finish();

  ParserState state() const;

  // Of the message that is being read. Before its header is complete: nothing, but the role that create() was given.
  std::optional<Role> current_role() const;
  const std::optional<std::string>& current_name() const;  ///< of a tool author ("functions.f")
  const std::optional<std::string>& current_channel() const;
  const std::optional<std::string>& current_recipient() const;
  const std::optional<std::string>& current_content_type() const;

  /// Text that the last token added to the message that is being read; nothing where it added none (bytes of an
  /// unfinished character are held back). Text that comes out as a message ends is in deltas() only.
  const std::optional<std::string>& last_delta() const;
  /// All text that the last feed() or finish() brought out, in order. For each message these join to its content.
  const std::vector<TextDelta>& deltas() const;

  /// Messages that are complete. finish() adds the open one.
  const std::vector<Message>& messages() const;
  /// messages()[idx], or the open message with its content so far where idx is their number.
  const Message& message(size_t idx) const;

  ~StreamParser();
  StreamParser(StreamParser&&) noexcept;
  StreamParser& operator=(StreamParser&&) noexcept;

 private:
  explicit StreamParser(std::unique_ptr<ParserCore> core);
  std::unique_ptr<ParserCore> core_;
};

}  // namespace gossamer::harmony
