#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/engine.h"
#include "grammar/grammar_spec.h"
#include "harmony/conversation.h"
#include "sampling/sampling_params.h"

namespace gossamer::server {

class ServedModel;

/// What a text must be, and the field that asked for it, for errors: "response_format.json_schema.schema".
struct PlacedGrammar {
  grammar::GrammarSpec spec;
  std::string place;
  bool is_wish = false;  ///< of arguments: where the grammar cannot be had, any JSON object is right
};

/// What the answer must be: enforced, and shown to the model, which otherwise writes nonsense that fits.
struct OutputFormat {
  enum class Kind : uint8_t { kText, kJsonObject, kJsonSchema, kGrammar };
  Kind kind = Kind::kText;
  std::string schema_name;
  json::value schema;                    ///< kJsonSchema
  std::string shown;                     ///< kGrammar: what the model reads of it
  std::optional<PlacedGrammar> grammar;  ///< nothing: kText
};

struct ToolChoice {
  enum class Kind : uint8_t { kAuto, kNone, kRequired, kNamed };
  Kind kind = Kind::kAuto;
  std::string name;           ///< kNamed: of a function, without "functions."
  bool is_of_server = false;  ///< kNamed: `name` is a tool of the server instead (any function of it), or one of those
};

/// A call of a tool of the server that the client was asked about, and approved.
struct ApprovedCall {
  std::string request_id;  ///< of the item that asked
  std::string recipient, arguments;
};

/// How tokens are chosen and when an answer ends: what all interfaces have in common.
struct AnswerLimits {
  SamplingParams sampling;
  uint32_t max_tokens = 0;  ///< 0: to the end of the context
  uint32_t min_tokens = 0;
  std::optional<uint32_t> reasoning_budget_tokens;  ///< of a chat; nothing: any number
  bool ignore_eos = false;
  std::vector<std::string> stop;  ///< texts; in a chat they are looked for in the final channel only
  std::vector<TokenId> stop_token_ids;
  bool shows_stop = false;  ///< the text, or the token, that ends an answer is part of it
  std::optional<uint32_t> top_logprobs;
  double timeout_seconds = 0;  ///< 0: the server's own
  Priority priority = Priority::kInteractive;
  TenantId tenant = 0;
};

/// A conversation to be answered, in the terms that all interfaces share: chat completions, responses and Ollama each
/// translate theirs into this, so the same conversation has the same tokens through all of them.
struct ChatRequest {
  harmony::Conversation conversation;  ///< complete: system and developer messages with tools, then the turns
  std::vector<std::string> functions;  ///< names that may be called, as the model knows them (tool_names.h)
  std::vector<std::string> built_ins;  ///< who else may be called, as the model writes it: "python", "browser.search"
  /// What the arguments of some of the functions must be; those of the others are any JSON object. Where it is no JSON,
  /// the function takes the text itself.
  std::map<std::string, PlacedGrammar> arguments;
  /// The same of `built_ins`, as far as the grammars can be had, else any JSON object; the others take any text.
  std::map<std::string, PlacedGrammar> built_in_arguments;
  std::vector<std::string> asks_before;  ///< of `built_ins`: a call of these ends the answer with kApprovalRequest
  std::optional<ApprovedCall> approved;  ///< made before anything is generated; the conversation ends with this call
  std::optional<uint32_t> most_server_calls;  ///< of `built_ins`, all together; nothing: as many as the server allows
  std::vector<TokenId> continuation;          ///< what follows the prompt: an answer so far, up to <|start|>assistant
  ToolChoice tool_choice;
  bool parallel_tool_calls = true;
  OutputFormat format;
  uint32_t num_choices = 1;
  AnswerLimits limits;
  /// What constrain() made of all this; null: the answer is what the model makes of it.
  std::shared_ptr<const TokenConstraint> constraint;
};

/// Text without a conversation: the tokens are what they are.
struct CompletionRequest {
  std::vector<TokenId> prompt;
  bool shows_specials = false;   ///< names of special tokens are part of the text
  bool prompt_logprobs = false;  ///< the prompt's own, with limits.top_logprobs
  bool scores_only = false;      ///< no answer is wanted
  OutputFormat format;           ///< of the whole text
  uint32_t num_choices = 1;
  AnswerLimits limits;
  std::shared_ptr<const TokenConstraint> constraint;  ///< as ChatRequest's
};

/// A token of the answer with its probability, as clients want it: text may be half a character.
struct ScoredToken {
  TokenId id = 0;
  std::string bytes;
  float logprob = 0;
  struct Other {
    TokenId id = 0;
    std::string bytes;
    float logprob = 0;
  };
  std::vector<Other> top;
};

/// Counts as the APIs report them.
struct Usage {
  uint32_t prompt_tokens = 0, cached_tokens = 0;
  uint32_t completion_tokens = 0, reasoning_tokens = 0;
};

/// What happens to one choice, in this order: any of the texts and calls as they come, then one kEnd. Texts are
/// well-formed UTF-8, never empty (but for the last kText of a completion, which may have tokens alone), and never hold
/// a piece of a frame, or of a stop text unless AnswerLimits::shows_stop.
struct AnswerEvent {
  enum class Kind : uint8_t {
    kReasoning,      ///< text of the analysis channel
    kPreamble,       ///< text said to the user before a call (commentary without a recipient)
    kText,           ///< text of the final channel; of a completion: all of it
    kCallBegin,      ///< call_idx, call_id, name; its arguments follow
    kCallArguments,  ///< text: a piece of the arguments' JSON
    kCallEnd,
    kEnd,
    // Of calls that the server answers itself (tool_loop.h), which a generation of one turn tells as calls `by_server`:
    kServerTools,      ///< name: of a tool; details: what it offers
    kServerCall,       ///< call_id, name, text: the arguments; it begins. details: of one that the client approved
    kServerResult,     ///< call_id, name, text: what it gave; failed, details
    kApprovalRequest,  ///< call_id, name, text: the arguments; the client is asked whether it may be made
  };
  /// Why a choice ended. kToolCalls: it waits for the results of its calls.
  enum class Finish : uint8_t { kStop, kLength, kToolCalls, kCancelled, kDeadline, kError };

  Kind kind = Kind::kEnd;
  uint32_t choice = 0;
  std::string text;
  bool is_gap = false;              ///< a blank line between two messages that follow one another: no model wrote it
  std::vector<ScoredToken> tokens;  ///< those behind `text`, where logprobs are asked for
  std::vector<TokenId> ids;         ///< all since the event before: those behind `text`, and those of frames

  uint32_t call_idx = 0;   ///< of the choice, from 0
  std::string call_id;     ///< "call_...": made up, unguessable
  std::string name;        ///< of the function, as the client knows it; of the server's own: "browser.open"
  bool by_server = false;  ///< kCallBegin to kCallEnd: a tool of the server is called, `channel` is the call's
  std::string channel;
  bool failed = false;                          ///< kServerResult
  std::shared_ptr<const json::object> details;  ///< kServerTools, kServerResult; null: nothing to tell

  Finish finish = Finish::kStop;  ///< kEnd
  std::string stop_matched;       ///< kEnd: the stop text that ended it, if one did
  std::string error;              ///< kEnd with kError: one sentence
  Usage usage;                    ///< of this choice; before kEnd only its tokens so far, and the prompt's
  RequestTimes times;             ///< kEnd
  /// kEnd of the first choice: the prompt's tokens, where CompletionRequest::prompt_logprobs; the first one's logprob
  /// is NaN, for nothing stands before it.
  std::vector<ScoredToken> prompt;
};

/// An answer that is being made, its choices at once. Dropping the last owner cancels what still runs. It lets go of
/// its sink after the last kEnd, so a sink may own the generation.
class Generation {
 public:
  /// Called on the engine's thread, one event at a time, never after a kEnd of the same choice; it must not block.
  using Sink = std::function<void(const AnswerEvent&)>;

  virtual ~Generation() = default;
  /// Ends it within two steps; the sink still gets a kEnd of each choice.
  virtual void cancel() = 0;
  virtual uint32_t prompt_tokens() const = 0;
};

/// Renders and submits. The first event may come before it returns. Errors: kInvalidInput with the sentence for the
/// client, kTooLong where the prompt and one token do not fit the context, kBusy with a guess at the wait;
/// api_error_of() makes answers of them.
Result<std::shared_ptr<Generation>> start_generation(ServedModel& model, const ChatRequest& request,
                                                     Generation::Sink sink);
Result<std::shared_ptr<Generation>> start_generation(ServedModel& model, const CompletionRequest& request,
                                                     Generation::Sink sink);

}  // namespace gossamer::server
