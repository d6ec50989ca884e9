#pragma once
/// What the two grammars of StreamParser share: the messages read so far and the one that is open.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harmony/stream_parser.h"

namespace gossamer::harmony {

class ParserCore {
 public:
  virtual ~ParserCore() = default;
  virtual Status feed(TokenId token) = 0;
  virtual Status finish() = 0;

  ParserState state() const { return state_; }
  std::optional<Role> role() const { return state_ == ParserState::kContent ? open_.role : expected_role_; }
  /// The open message: its header is all-absent unless the state is kContent.
  const Message& open() const { return open_; }
  const std::optional<std::string>& last_delta() const { return last_delta_; }
  const std::vector<TextDelta>& deltas() const { return deltas_; }
  const std::vector<Message>& messages() const { return messages_; }

 protected:
  explicit ParserCore(std::optional<Role> role)
      : state_(role ? ParserState::kHeader : ParserState::kExpectStart), expected_role_(role) {}

  /// Forgets what the token before brought out.
  void begin_step() {
    last_delta_.reset();
    deltas_.clear();
  }

  void expect_start() { state_ = ParserState::kExpectStart; }
  void begin_header() { state_ = ParserState::kHeader; }

  /// The header is complete: its content follows.
  void begin_content(Message header) {
    open_ = std::move(header);
    open_.contents = {TextContent{}};
    expected_role_.reset();
    state_ = ParserState::kContent;
  }

  /// `text`: well-formed UTF-8.
  void add_text(std::string_view text) {
    if (text.empty()) return;
    std::get<TextContent>(open_.contents.front()).text.append(text);
    deltas_.push_back({messages_.size(), std::string(text)});
    last_delta_ = last_delta_.value_or("").append(text);
  }

  void end_content() {
    messages_.push_back(std::exchange(open_, {}));
    last_delta_.reset();
    expect_start();
  }

  void forget_expected_role() { expected_role_.reset(); }
  const std::optional<Role>& expected_role() const { return expected_role_; }

 private:
  ParserState state_;
  std::optional<Role> expected_role_;  // of the first message, until its header is complete
  Message open_;
  std::vector<Message> messages_;
  std::optional<std::string> last_delta_;
  std::vector<TextDelta> deltas_;
};

}  // namespace gossamer::harmony
