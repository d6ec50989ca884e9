#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "harmony/stream_parser.h"
#include "server/generation.h"
#include "server/stop_texts.h"

namespace gossamer::server {

/// Makes events of the tokens of one choice. Total: any sequence of tokens gives events in the order that AnswerEvent
/// promises, all but the kEnd, which is the caller's.
class AnswerReader {
 public:
  using Emit = std::function<void(AnswerEvent)>;

  virtual ~AnswerReader() = default;
  /// One token. `scored`: with its logprob, where that was asked for; its text is filled in here.
  virtual void feed(TokenId token, const ScoredToken* scored, const Emit& emit) = 0;
  /// No more tokens come: what was held back comes out.
  virtual void finish(const Emit& emit) = 0;

  /// Tokens that no event has told yet.
  virtual std::vector<TokenId> take_ids() = 0;
  /// A stop text is complete: the rest is not wanted.
  virtual const std::string& stop_matched() const = 0;
  virtual bool has_calls() const { return false; }
  virtual uint32_t reasoning_tokens() const { return 0; }
};

/// Text events of pieces that come with tokens: attaches to each event the tokens behind it, through everything that
/// holds text back.
class TextWithTokens {
 public:
  /// As StopTexts.
  explicit TextWithTokens(std::vector<std::string> stops, bool shows_stop = false)
      : stops_(std::move(stops), shows_stop) {}

  /// `token`: null where the text has none of its own (a blank line between messages).
  void feed(std::string_view text, const ScoredToken* token, AnswerEvent event, const AnswerReader::Emit& emit);
  void finish(AnswerEvent event, const AnswerReader::Emit& emit);
  /// Tokens that no event has told, for they have no text (half a character, a hidden special token).
  std::vector<ScoredToken> take_silent_tokens();
  const std::string& stop_matched() const { return stops_.matched(); }

 private:
  struct Waiting {
    ScoredToken token;
    uint64_t begin;  // of its text
  };
  void give_out(std::string text, AnswerEvent event, const AnswerReader::Emit& emit);

  StopTexts stops_;
  std::vector<Waiting> waiting_;
  uint64_t fed_bytes_ = 0, given_bytes_ = 0;
};

/// Of a chat: takes harmony apart.
class ChatReader final : public AnswerReader {
 public:
  /// Errors: the vocabulary lacks harmony's frame tokens.
  static Result<std::unique_ptr<AnswerReader>> create(std::shared_ptr<const Tokenizer> tokenizer,
                                                      const ChatRequest& request);

  void feed(TokenId token, const ScoredToken* scored, const Emit& emit) override;
  void finish(const Emit& emit) override;
  std::vector<TokenId> take_ids() override { return std::exchange(ids_, {}); }
  const std::string& stop_matched() const override { return final_.stop_matched(); }
  bool has_calls() const override { return num_calls_ > 0; }
  uint32_t reasoning_tokens() const override { return reasoning_tokens_; }

 private:
  /// What becomes of a message.
  enum class Use : uint8_t { kReasoning, kPreamble, kText, kCall, kNothing };

  ChatReader(harmony::StreamParser parser, const ChatRequest& request);
  Use use_of(const harmony::Message& message) const;
  std::string declared_function(std::string_view recipient) const;
  bool is_built_in(std::string_view recipient) const;
  void open_message(size_t idx, const Emit& emit);
  void close_message(const Emit& emit);
  void add_text(const std::string& text, const ScoredToken* scored, const Emit& emit);
  void tell(const ScoredToken* scored, const Emit& emit);
  TextWithTokens& writer(Use use);
  AnswerEvent event_of(Use use);

  harmony::StreamParser parser_;
  const std::vector<std::string> functions_, built_ins_;
  std::vector<std::string> text_functions_;  // those whose arguments are no JSON
  const bool one_call_only_;
  std::vector<TokenId> ids_;  // since the last event
  TextWithTokens reasoning_{{}}, preamble_{{}}, final_, arguments_{{}};

  // The message that is being read.
  std::optional<size_t> open_;
  Use use_ = Use::kNothing;
  bool has_text_ = false;  // of this message
  bool said_[3] = {};      // reasoning, preamble, text: something came before, so a blank line parts the next message
  uint32_t num_calls_ = 0;
  std::string call_id_, call_name_, call_channel_;
  bool calls_server_ = false, call_is_text_ = false;
  uint32_t reasoning_tokens_ = 0;
};

/// Of a completion: the tokens' text as it is.
class PlainReader final : public AnswerReader {
 public:
  PlainReader(std::shared_ptr<const Tokenizer> tokenizer, const CompletionRequest& request);

  void feed(TokenId token, const ScoredToken* scored, const Emit& emit) override;
  void finish(const Emit& emit) override;
  std::vector<TokenId> take_ids() override { return std::exchange(ids_, {}); }
  const std::string& stop_matched() const override { return text_.stop_matched(); }

 private:
  AnswerEvent event();

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const bool shows_specials_;
  Utf8Stream utf8_;
  TextWithTokens text_;
  std::vector<TokenId> ids_;
};

}  // namespace gossamer::server
