#include "server/answer_reader.h"

#include <algorithm>
#include <utility>

#include "harmony/answer.h"
#include "server/ids.h"
#include "server/tool_names.h"

namespace gossamer::server {

void TextWithTokens::feed(std::string_view text, const ScoredToken* token, AnswerEvent event,
                          const AnswerReader::Emit& emit) {
  if (token) waiting_.push_back({*token, fed_bytes_});
  fed_bytes_ += text.size();
  std::string out;
  if (stops_.feed(text, out))
    std::erase_if(waiting_, [&](const Waiting& w) { return w.begin >= given_bytes_ + out.size(); });
  give_out(std::move(out), std::move(event), emit);
}

void TextWithTokens::finish(AnswerEvent event, const AnswerReader::Emit& emit) {
  std::string out;
  stops_.flush(out);
  give_out(std::move(out), std::move(event), emit);
}

std::vector<ScoredToken> TextWithTokens::take_silent_tokens() {
  std::vector<ScoredToken> tokens;
  for (Waiting& waiting : waiting_) tokens.push_back(std::move(waiting.token));
  waiting_.clear();
  return tokens;
}

void TextWithTokens::give_out(std::string text, AnswerEvent event, const AnswerReader::Emit& emit) {
  if (text.empty()) return;
  given_bytes_ += text.size();
  const auto later = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) {
    return w.begin >= given_bytes_;  // held back with its text
  });
  for (auto token = waiting_.begin(); token != later; ++token) event.tokens.push_back(std::move(token->token));
  waiting_.erase(waiting_.begin(), later);
  event.text = std::move(text);
  emit(std::move(event));
}

Result<std::unique_ptr<AnswerReader>> ChatReader::create(std::shared_ptr<const Tokenizer> tokenizer,
                                                         const ChatRequest& request) {
  GOS_TRY(harmony::StreamParser parser,
          harmony::StreamParser::create(std::move(tokenizer), harmony::Role::kAssistant, harmony::ParseMode::kLenient));
  return std::unique_ptr<AnswerReader>(new ChatReader(std::move(parser), request));
}

ChatReader::ChatReader(harmony::StreamParser parser, const ChatRequest& request)
    : parser_(std::move(parser)),
      functions_(request.tool_choice.kind == ToolChoice::Kind::kNone ? std::vector<std::string>() : request.functions),
      built_ins_(request.tool_choice.kind == ToolChoice::Kind::kNone ? std::vector<std::string>() : request.built_ins),
      one_call_only_(!request.parallel_tool_calls),
      final_(request.limits.stop, request.limits.shows_stop) {
  for (const auto& [function, arguments] : request.arguments)
    if (arguments.spec.kind != grammar::GrammarSpec::Kind::kJsonSchema) text_functions_.push_back(function);
}

/// The function that a recipient means, as the model was told it; empty: none, whatever the model made up. It may also
/// fall back to the client's own name.
std::string ChatReader::declared_function(std::string_view recipient) const {
  const size_t dot = recipient.find('.');
  const std::string_view bare = dot == std::string_view::npos ? recipient : recipient.substr(dot + 1);
  for (const std::string& function : functions_)
    if (recipient == "functions." + function) return function;
  for (const std::string& function : functions_)
    if (recipient == function || bare == function) return function;
  for (const std::string& function : functions_)
    if (bare == client_tool_name(function)) return function;
  return {};
}

bool ChatReader::is_built_in(std::string_view recipient) const {
  return std::find(built_ins_.begin(), built_ins_.end(), recipient) != built_ins_.end();
}

ChatReader::Use ChatReader::use_of(const harmony::Message& message) const {
  switch (harmony::text_kind(message)) {
    case harmony::TextKind::kFinal:
      return Use::kText;
    case harmony::TextKind::kPreamble:
      return Use::kPreamble;
    case harmony::TextKind::kCall:
      if (declared_function(*message.recipient).empty() && !is_built_in(*message.recipient))
        return Use::kReasoning;  // nobody could answer it
      return one_call_only_ && num_calls_ > 0 ? Use::kNothing : Use::kCall;
    case harmony::TextKind::kReasoning:
    case harmony::TextKind::kOther:  // as if somebody else spoke: a thought of the model, not an answer
      return Use::kReasoning;
  }
  return Use::kReasoning;
}

TextWithTokens& ChatReader::writer(Use use) {
  switch (use) {
    case Use::kReasoning:
      return reasoning_;
    case Use::kPreamble:
      return preamble_;
    case Use::kCall:
      return arguments_;
    default:
      return final_;
  }
}

AnswerEvent ChatReader::event_of(Use use) {
  static constexpr AnswerEvent::Kind kKinds[] = {AnswerEvent::Kind::kReasoning, AnswerEvent::Kind::kPreamble,
                                                 AnswerEvent::Kind::kText, AnswerEvent::Kind::kCallArguments};
  AnswerEvent event;
  event.kind = kKinds[static_cast<size_t>(use)];
  if (use != Use::kCall) return event;
  event.call_idx = num_calls_ - 1;
  event.call_id = call_id_;
  event.name = call_name_;
  event.by_server = calls_server_;
  event.channel = call_channel_;
  return event;
}

void ChatReader::feed(TokenId token, const ScoredToken* scored, const Emit& emit) {
  ids_.push_back(token);
  const bool was_content = parser_.state() == harmony::ParserState::kContent;
  (void)parser_.feed(token);  // lenient: takes everything
  const bool is_content = was_content && parser_.state() == harmony::ParserState::kContent;
  if (is_content && use_ == Use::kReasoning) ++reasoning_tokens_;
  tell(is_content ? scored : nullptr, emit);
  if (parser_.state() == harmony::ParserState::kContent) open_message(parser_.messages().size(), emit);
}

/// What the last token brought out.
void ChatReader::tell(const ScoredToken* scored, const Emit& emit) {
  const std::vector<harmony::TextDelta>& deltas = parser_.deltas();
  for (const harmony::TextDelta& delta : deltas) {
    open_message(delta.message_idx, emit);
    add_text(delta.text, std::exchange(scored, nullptr), emit);
  }
  if (scored && use_ != Use::kNothing) writer(use_).feed("", scored, event_of(use_), emit);  // half a character
  if (open_ && *open_ < parser_.messages().size()) close_message(emit);
}

void ChatReader::open_message(size_t idx, const Emit& emit) {
  if (open_ == idx) return;
  close_message(emit);
  const harmony::Message& message = parser_.message(idx);
  open_ = idx;
  use_ = use_of(message);
  has_text_ = false;
  if (use_ != Use::kCall) return;
  ++num_calls_;
  call_id_ = make_id("call_");
  const std::string function = declared_function(*message.recipient);
  calls_server_ = is_built_in(*message.recipient);
  call_is_text_ = calls_server_ || std::ranges::find(text_functions_, function) != text_functions_.end();
  call_name_ = calls_server_ ? *message.recipient : client_tool_name(function);
  call_channel_ = message.channel.value_or("commentary");
  AnswerEvent event = event_of(use_);
  event.kind = AnswerEvent::Kind::kCallBegin;
  event.ids = std::exchange(ids_, {});
  emit(std::move(event));
}

void ChatReader::close_message(const Emit& emit) {
  if (!open_) return;
  open_.reset();
  if (std::exchange(use_, Use::kNothing) != Use::kCall) return;
  if (!has_text_ && !call_is_text_) {  // a function without parameters, called with nothing: clients parse JSON
    AnswerEvent empty = event_of(Use::kCall);
    empty.text = "{}";
    emit(std::move(empty));
  }
  AnswerEvent event = event_of(Use::kCall);
  event.kind = AnswerEvent::Kind::kCallEnd;
  event.ids = std::exchange(ids_, {});
  emit(std::move(event));
}

void ChatReader::add_text(const std::string& text, const ScoredToken* scored, const Emit& emit) {
  if (use_ == Use::kNothing || !stop_matched().empty()) return;
  const Emit with_ids = [&](AnswerEvent event) {
    event.ids = std::exchange(ids_, {});
    emit(std::move(event));
  };
  TextWithTokens& out = writer(use_);
  if (use_ != Use::kCall && !has_text_ && std::exchange(said_[static_cast<size_t>(use_)], true)) {
    AnswerEvent gap = event_of(use_);
    gap.is_gap = true;
    out.feed("\n\n", nullptr, std::move(gap), with_ids);
  }
  has_text_ = true;
  out.feed(text, scored, event_of(use_), with_ids);
}

void ChatReader::finish(const Emit& emit) {
  (void)parser_.finish();
  tell(nullptr, emit);
  final_.finish(event_of(Use::kText), emit);
  close_message(emit);
}

PlainReader::PlainReader(std::shared_ptr<const Tokenizer> tokenizer, const CompletionRequest& request)
    : tokenizer_(std::move(tokenizer)),
      shows_specials_(request.shows_specials),
      text_(request.limits.stop, request.limits.shows_stop) {}

AnswerEvent PlainReader::event() {
  AnswerEvent event;
  event.kind = AnswerEvent::Kind::kText;
  return event;
}

void PlainReader::feed(TokenId token, const ScoredToken* scored, const Emit& emit) {
  ids_.push_back(token);
  if (!stop_matched().empty()) return;
  std::string text;
  if (shows_specials_ || tokenizer_->kind(token) == TokenKind::kText) utf8_.feed(tokenizer_->token_bytes(token), text);
  text_.feed(text, scored, event(), [&](AnswerEvent event) {
    event.ids = std::exchange(ids_, {});
    emit(std::move(event));
  });
}

void PlainReader::finish(const Emit& emit) {
  std::string rest;
  utf8_.flush(rest);
  const Emit with_ids = [&](AnswerEvent event) {
    event.ids = std::exchange(ids_, {});
    emit(std::move(event));
  };
  if (stop_matched().empty()) text_.feed(rest, nullptr, event(), with_ids);
  text_.finish(event(), with_ids);
  if (!stop_matched().empty()) return;
  AnswerEvent silent = event();
  silent.tokens = text_.take_silent_tokens();
  if (!silent.tokens.empty()) with_ids(std::move(silent));  // who scores texts counts on every token
}

}  // namespace gossamer::server
