#include "server/answer_constraints.h"

#include <chrono>
#include <functional>
#include <utility>

#include "harmony/frame_automaton.h"

namespace gossamer::server {
namespace {

constexpr double kMostSeconds = 2;       // for all grammars of one request, beside the last one's own deadline
constexpr size_t kCachedGrammars = 256;  // agents send a dozen tools each, of some 100 KB
constexpr uint64_t kCachedBytes = 128 << 20;
constexpr size_t kMostRefused = 4096;  // schemas that are remembered
constexpr char kFunctions[] = "functions.";

using Clock = std::chrono::steady_clock;
using Constraint = std::shared_ptr<const TokenConstraint>;

harmony::ToolChoice harmony_choice(const ToolChoice& choice) {
  using Kind = harmony::ToolChoice::Kind;
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      return {Kind::kAuto, {}};
    case ToolChoice::Kind::kNone:
      return {Kind::kNone, {}};
    case ToolChoice::Kind::kRequired:
      return {Kind::kRequired, {}};
    case ToolChoice::Kind::kNamed:
      return {Kind::kNamed, choice.is_of_server ? choice.name : kFunctions + choice.name};
  }
  return {};
}

Result<harmony::FrameRules> rules_of(const ChatRequest& request) {
  std::vector<std::string> recipients;
  for (const std::string& function : request.functions) recipients.push_back(kFunctions + function);
  recipients.insert(recipients.end(), request.built_ins.begin(), request.built_ins.end());
  GOS_TRY(harmony::FrameRules rules, harmony::frame_rules(std::move(recipients), harmony_choice(request.tool_choice)));
  rules.reasoning_budget_tokens = request.limits.reasoning_budget_tokens;
  rules.min_tokens = request.limits.min_tokens;
  return rules;
}

}  // namespace

/// The compiled grammars of one request, one after the other. After the first that cannot be had it gives no more.
class AnswerConstraints::Bodies {
 public:
  Bodies(grammar::GrammarEngine& grammars, bool compiles) : grammars_(grammars), compiles_(compiles) {}

  /// Null where missing() or error().
  Constraint get(const PlacedGrammar& wanted) {
    Constraint body = find(wanted);
    if (body || missing_ || error_) return body;
    Result<Constraint> compiled = grammars_.compile(wanted.spec);
    if (compiled.ok()) return std::move(*compiled);
    fail(wanted, compiled.error());
    return nullptr;
  }

  /// Any JSON object; null also where this program was built without grammars: the arguments are then what the model
  /// makes of them.
  Constraint get_json_object() {
    if (!grammars_.available()) return nullptr;
    Constraint body = get({grammar::GrammarSpec::json_object(), "tools"});
    if (!body && !grammars_.available()) error_.reset();
    return body;
  }

  /// Null where missing(), and where it cannot be had, which is no error: `refused` says whether it ever can.
  Constraint try_get(const PlacedGrammar& wanted, bool& refused) {
    Constraint body = find(wanted);
    if (body || missing_) return body;
    if (error_) {  // it is late: the next request compiles what is left
      error_.reset();
      return nullptr;
    }
    Result<Constraint> compiled = grammars_.compile(wanted.spec);
    refused = !compiled.ok();
    return refused ? nullptr : std::move(*compiled);
  }

  bool missing() const { return missing_; }
  const std::optional<ApiError>& error() const { return error_; }

 private:
  /// Of those that are compiled already; all others are missing, or late, or about to be compiled.
  Constraint find(const PlacedGrammar& wanted) {
    if (missing_ || error_) return nullptr;
    if (Constraint known = grammars_.find(wanted.spec)) return known;
    missing_ = !compiles_;
    if (missing_) return nullptr;
    if (!begun_) {
      if (const Status loaded = grammars_.warm_up(); !loaded.ok()) fail(wanted, loaded.error());
      begun_ = Clock::now();
    }
    if (std::chrono::duration<double>(Clock::now() - *begun_).count() > kMostSeconds)
      fail(wanted,
           make_error(ErrorCode::kInvalidInput,
                      "the grammars of this request take more than {} s to compile: make them simpler, or fewer",
                      kMostSeconds));
    return nullptr;
  }

  void fail(const PlacedGrammar& wanted, const Error& error) {
    error_ = api_error_of({error.code, fmt::format("{}: {}", wanted.place, error.message)});
    error_->param = wanted.place;
  }

  grammar::GrammarEngine& grammars_;
  const bool compiles_;
  bool missing_ = false;
  std::optional<Clock::time_point> begun_;
  std::optional<ApiError> error_;
};

Result<std::unique_ptr<AnswerConstraints>> AnswerConstraints::create(std::shared_ptr<const Tokenizer> tokenizer,
                                                                     std::shared_ptr<grammar::GrammarEngine> grammars) {
  GOS_TRY(auto frames, harmony::FrameVocabulary::create(tokenizer));
  if (!grammars) {
    grammar::GrammarLimits limits;
    limits.cached_grammars = kCachedGrammars;
    limits.cached_bytes = kCachedBytes;
    grammars = std::make_shared<grammar::GrammarEngine>(std::move(tokenizer), limits);
  }
  return std::unique_ptr<AnswerConstraints>(new AnswerConstraints(std::move(frames), std::move(grammars)));
}

std::optional<HeldTo> AnswerConstraints::find(const ChatRequest& request) const {
  Bodies bodies(*grammars_, false);
  HeldTo held = hold(request, bodies);
  if (bodies.missing()) return std::nullopt;
  return held;
}

std::optional<HeldTo> AnswerConstraints::find(const CompletionRequest& request) const {
  Bodies bodies(*grammars_, false);
  HeldTo held = hold(request, bodies);
  if (bodies.missing()) return std::nullopt;
  return held;
}

HeldTo AnswerConstraints::make(const ChatRequest& request) const {
  Bodies bodies(*grammars_, true);
  return hold(request, bodies);
}

HeldTo AnswerConstraints::make(const CompletionRequest& request) const {
  Bodies bodies(*grammars_, true);
  return hold(request, bodies);
}

HeldTo AnswerConstraints::hold(const ChatRequest& request, Bodies& bodies) const {
  Result<harmony::FrameRules> rules = rules_of(request);
  if (!rules.ok())
    return {nullptr, bad_request(request.tool_choice.kind == ToolChoice::Kind::kAuto ? "tools" : "tool_choice",
                                 rules.error().message)};
  if (request.format.grammar && !rules->must_call) rules->final_body = bodies.get(*request.format.grammar);
  add_call_bodies(request, bodies, *rules);
  if (bodies.missing() || bodies.error()) return {nullptr, bodies.error()};
  Result<std::unique_ptr<harmony::FrameAutomaton>> frames = harmony::FrameAutomaton::create(frames_, std::move(*rules));
  if (!frames.ok()) return {nullptr, bad_request("tools", frames.error().message)};
  return {std::move(*frames), std::nullopt};
}

HeldTo AnswerConstraints::hold(const CompletionRequest& request, Bodies& bodies) const {
  if (!request.format.grammar) return {};
  Constraint text = bodies.get(*request.format.grammar);
  return {std::move(text), bodies.error()};
}

void AnswerConstraints::add_call_bodies(const ChatRequest& request, Bodies& bodies, harmony::FrameRules& rules) const {
  for (const std::string& recipient : rules.recipients) {
    const bool is_function = recipient.starts_with(kFunctions);
    const auto& arguments = is_function ? request.arguments : request.built_in_arguments;
    const auto found = arguments.find(is_function ? recipient.substr(sizeof kFunctions - 1) : recipient);
    if (found != arguments.end())
      rules.call_bodies[recipient] =
          found->second.is_wish ? body_of_wish(found->second, bodies) : bodies.get(found->second);
    else if (is_function)
      rules.call_bodies[recipient] = bodies.get_json_object();
    if (bodies.missing() || bodies.error()) return;
  }
}

/// What cannot be compiled is any JSON object; it is not tried again and again.
Constraint AnswerConstraints::body_of_wish(const PlacedGrammar& wanted, Bodies& bodies) const {
  Constraint any = bodies.get_json_object();
  if (!any) return nullptr;
  const size_t hash = std::hash<std::string>()(wanted.spec.text);
  {
    const std::lock_guard lock(refused_mutex_);
    if (refused_.contains(hash)) return any;
  }
  bool refused = false;
  Constraint body = bodies.try_get(wanted, refused);
  if (refused) {
    const std::lock_guard lock(refused_mutex_);
    if (refused_.size() >= kMostRefused) refused_.clear();
    refused_.insert(hash);
  }
  return body || bodies.missing() ? body : any;
}

}  // namespace gossamer::server
