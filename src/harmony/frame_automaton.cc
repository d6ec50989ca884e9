#include "harmony/frame_automaton.h"

#include <utility>

namespace gossamer::harmony {
namespace {

Error not_allowed(TokenId token, std::string_view where) {
  return make_error(ErrorCode::kInvalidInput, "token {} cannot stand in {}", token, where);
}

}  // namespace

Result<std::unique_ptr<FrameAutomaton>> FrameAutomaton::create(std::shared_ptr<const FrameVocabulary> vocabulary,
                                                               FrameRules rules) {
  GOS_TRY_STATUS(check_frame_rules(rules));
  if (!rules.recipients.empty() && vocabulary->call() == kNoFrameToken)
    return make_error(ErrorCode::kUnsupported,
                      "tools cannot be called with this vocabulary: it has no special token <|call|>");
  HeaderGrammar headers(rules.recipients);
  auto request = std::make_shared<const Request>(Request{std::move(vocabulary), std::move(rules), std::move(headers)});
  return std::unique_ptr<FrameAutomaton>(new FrameAutomaton(std::move(request)));
}

FrameAutomaton::FrameAutomaton(std::shared_ptr<const Request> request) : request_(std::move(request)) {
  header_ = HeaderPlace::behind_role(permits());
}

FrameAutomaton::FrameAutomaton(const FrameAutomaton& other)
    : TokenConstraint(other),
      request_(other.request_),
      state_(other.state_),
      header_(other.header_),
      body_(other.body_ ? other.body_->clone() : nullptr),
      num_tokens_(other.num_tokens_),
      reasoning_tokens_(other.reasoning_tokens_) {}

std::unique_ptr<TokenConstraint> FrameAutomaton::clone() const {
  return std::unique_ptr<TokenConstraint>(new FrameAutomaton(*this));
}

bool FrameAutomaton::budget_is_spent() const {
  const auto& budget = request_->rules.reasoning_budget_tokens;
  return budget && reasoning_tokens_ >= *budget;
}

HeaderPermits FrameAutomaton::permits() const {
  HeaderPermits permits;
  permits.without_recipient[static_cast<size_t>(Channel::kFinal)] = !request_->rules.must_call;
  permits.without_recipient[static_cast<size_t>(Channel::kAnalysis)] = !budget_is_spent();
  // A preamble is said to the user as the answer is: where that has a form, text before it would break it.
  permits.without_recipient[static_cast<size_t>(Channel::kCommentary)] =
      !request_->rules.final_body || request_->rules.must_call;
  return permits;
}

bool FrameAutomaton::in_reasoning() const {
  return header_.recipient < 0 && header_.channel == static_cast<int32_t>(Channel::kAnalysis);
}

/// What may end the body that is being written.
uint8_t FrameAutomaton::body_ends() const {
  const bool may_end_turn = body_ || num_tokens_ >= request_->rules.min_tokens;
  if (header_.recipient >= 0) return may_end_turn ? kEndsByCall : 0;
  const bool is_final = header_.channel == static_cast<int32_t>(Channel::kFinal);
  return is_final && may_end_turn ? kEndsByReturn | kEndsByEnd : kEndsByEnd;
}

bool FrameAutomaton::has_mask_at_hand() const {
  return !body_ || body_->has_mask_at_hand();
}

TokenMask& FrameAutomaton::empty_mask() {
  if (scratch_)
    scratch_->forbid_all();
  else
    scratch_.emplace(vocabulary().vocab_size(), false);
  return *scratch_;
}

Result<const TokenMask*> FrameAutomaton::allowed() {
  switch (state_) {
    case State::kHeader:
      return header_mask();
    case State::kBody:
      return body_mask();
    case State::kBetween:
      empty_mask().allow(vocabulary().start());
      break;
    case State::kComplete:
      empty_mask();
      break;
  }
  return &*scratch_;
}

const TokenMask* FrameAutomaton::header_mask() {
  TokenMask& mask = empty_mask();
  const auto try_marker = [&](HeaderMarker marker, TokenId token) {
    HeaderPlace there = header_;
    if (token != kNoFrameToken && request_->headers.step(there, marker)) mask.allow(token);
  };
  try_marker(HeaderMarker::kChannel, vocabulary().channel());
  try_marker(HeaderMarker::kConstrain, vocabulary().constrain());
  try_marker(HeaderMarker::kMessage, vocabulary().message());
  std::string path;
  allow_text(header_, path, 0, mask);
  return &mask;
}

/// Every token that begins with the bytes of `path`, which lead to `place`, and leads on from there: any way to cut a
/// header into tokens will do.
void FrameAutomaton::allow_text(const HeaderPlace& place, std::string& path, uint64_t path_hash,
                                TokenMask& mask) const {
  std::string bytes;
  request_->headers.next_bytes(place, bytes);
  for (const char byte : bytes) {
    const uint64_t hash = FrameVocabulary::grown_hash(path_hash, static_cast<unsigned char>(byte));
    if (!vocabulary().may_begin_token(hash)) continue;
    HeaderPlace there = place;
    request_->headers.step(there, static_cast<unsigned char>(byte));
    path.push_back(byte);
    if (const auto token = vocabulary().text_token(path)) mask.allow(*token);
    allow_text(there, path, hash, mask);
    path.pop_back();
  }
}

Result<const TokenMask*> FrameAutomaton::body_mask() {
  if (in_reasoning() && budget_is_spent()) {
    vocabulary().allow_ends(kEndsByEnd, empty_mask());
    return &*scratch_;
  }
  if (!body_) return &vocabulary().body(body_ends());
  TokenMask& mask = empty_mask();
  if (!body_->must_end()) {
    GOS_TRY(const TokenMask* inner, body_->allowed());
    mask = *inner;
    mask.intersect(vocabulary().body(0));
  }
  if (body_->may_end()) vocabulary().allow_ends(body_ends(), mask);
  return &mask;
}

Status FrameAutomaton::accept(TokenId token) {
  if (token >= vocabulary().vocab_size()) return not_allowed(token, "this vocabulary");
  switch (state_) {
    case State::kHeader:
      if (!accept_in_header(token)) return not_allowed(token, "the header of a message");
      break;
    case State::kBody:
      GOS_TRY_STATUS(accept_in_body(token));
      break;
    case State::kBetween:
      if (token != vocabulary().start()) return not_allowed(token, "the place of <|start|>");
      header_ = HeaderPlace::before_role(permits());
      state_ = State::kHeader;
      break;
    case State::kComplete:
      return not_allowed(token, "an answer that has ended");
  }
  ++num_tokens_;
  return {};
}

bool FrameAutomaton::accept_in_header(TokenId token) {
  HeaderPlace there = header_;
  const auto step_marker = [&](HeaderMarker marker) {
    if (!request_->headers.step(there, marker)) return false;
    header_ = there;
    if (marker == HeaderMarker::kMessage) begin_body();
    return true;
  };
  if (token == vocabulary().channel()) return step_marker(HeaderMarker::kChannel);
  if (token == vocabulary().constrain()) return step_marker(HeaderMarker::kConstrain);
  if (token == vocabulary().message()) return step_marker(HeaderMarker::kMessage);
  if (!vocabulary().is_text(token)) return false;
  for (const char byte : vocabulary().bytes(token))
    if (!request_->headers.step(there, static_cast<unsigned char>(byte))) return false;
  header_ = there;
  return true;
}

void FrameAutomaton::begin_body() {
  state_ = State::kBody;
  const FrameRules& rules = request_->rules;
  if (header_.recipient >= 0) {
    const auto found = rules.call_bodies.find(rules.recipients[static_cast<size_t>(header_.recipient)]);
    if (found != rules.call_bodies.end() && found->second) body_ = found->second->clone();
  } else if (header_.channel == static_cast<int32_t>(Channel::kFinal) && rules.final_body) {
    body_ = rules.final_body->clone();
  }
}

Status FrameAutomaton::accept_in_body(TokenId token) {
  if (!vocabulary().is_text(token))
    return end_body(token) ? Status() : Status(not_allowed(token, "the body of a message"));
  if (in_reasoning() && budget_is_spent()) return not_allowed(token, "reasoning whose budget is spent");
  if (body_) return body_->accept(token);
  if (in_reasoning()) ++reasoning_tokens_;
  return {};
}

bool FrameAutomaton::end_body(TokenId token) {
  if (body_ && !body_->may_end()) return false;
  const uint8_t ends = body_ends();
  const bool ends_turn = (ends & (kEndsByReturn | kEndsByCall)) != 0;
  const bool may_stand = (token == vocabulary().end() && (ends & kEndsByEnd) != 0) ||
                         (token == vocabulary().ret() && (ends & kEndsByReturn) != 0) ||
                         (token == vocabulary().call() && (ends & kEndsByCall) != 0);
  if (!may_stand) return false;
  state_ = ends_turn ? State::kComplete : State::kBetween;
  body_.reset();
  return true;
}

}  // namespace gossamer::harmony
