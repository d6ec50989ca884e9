#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/loaded_model.h"
#include "engine/scheduler.h"
#include "sampling/logprobs.h"
#include "sampling/sampling_params.h"
#include "sampling/token_constraint.h"

namespace gossamer {

struct EngineOptions {
  kernels::KvDtype kv_dtype = kernels::KvDtype::kBf16;
  uint64_t kv_bytes = 0;  ///< of the KV cache; 0: what a few long conversations need, at most a quarter of free memory
  SchedulerLimits limits;
  bool prefix_cache = true;
  /// What a step may take while answers are being written: 0 is 1.7 times a step without prompts, p99 beside p99.
  double tpot_goal_seconds = 0;
  /// Takes all memory of the cache from the system at the start.
  bool populate = false;
};

enum class FinishReason : uint8_t { kStop, kLength, kCancelled, kDeadline, kError };
std::string_view finish_reason_name(FinishReason reason);  ///< "stop", "length", "cancelled", "deadline", "error"

struct EngineRequest {
  std::vector<TokenId> prompt;  ///< at least one token
  SamplingParams sampling;
  uint32_t max_tokens = 0;           ///< of the answer; 0, or more than fits: to the end of the context
  std::vector<TokenId> stop_tokens;  ///< the answer ends with the first of them, which is given out too
  /// Of the answer: before that a stop token is never chosen. Nothing where there is a constraint, which knows itself
  /// when an answer may end: a stop token could be all that it allows.
  uint32_t min_tokens = 0;
  /// What the answer may be; null: anything. The engine works on a clone, so requests may share it. The answer also
  /// ends where the constraint must end, and with kError where it cannot go on.
  std::shared_ptr<const TokenConstraint> constraint;
  TenantId tenant = 0;
  std::optional<CacheSalt> salt;  ///< who shares prefixes; absent: the tenant's own
  Priority priority = Priority::kInteractive;
  double timeout_seconds = 0;            ///< 0: none
  std::optional<uint32_t> top_logprobs;  ///< with each token its logprob, and those of so many likeliest ones
  bool computes_whole_prompt = false;
  bool prompt_logprobs = false;       ///< with top_logprobs and computes_whole_prompt: the prompt's own too
  std::vector<uint32_t> checkpoints;  ///< see Sequence::checkpoints
};

/// Times of one request, in seconds since it was submitted.
struct RequestTimes {
  double first_token_seconds = 0;
  double end_seconds = 0;
  double queue_seconds = 0;  ///< until its first step began
};

/// What constraints took from a model: where it stays at 0, the model would have written the same without them.
struct MaskedMass {
  double sum = 0;           ///< of the probability of forbidden tokens, over all tokens that were sampled under a mask
  uint64_t num_tokens = 0;  ///< these

  void operator+=(const MaskedMass& more) {
    sum += more.sum;
    num_tokens += more.num_tokens;
  }
};

/// What happens to a request, in this order: any number of kPrefill and kToken, then one kEnd and nothing after it.
struct EngineEvent {
  enum class Kind : uint8_t { kPrefill, kToken, kEnd };
  Kind kind = Kind::kEnd;
  SequenceId id = 0;
  TokenId token = 0;         ///< kToken
  Logprobs logprobs;         ///< kToken, where asked for: of all tokens, forbidden ones too
  uint32_t prompt_done = 0;  ///< kPrefill: of prompt_tokens
  uint32_t prompt_tokens = 0;
  std::vector<Logprobs>
      prompt_logprobs;         ///< kPrefill, where asked for: of the prompt's next tokens, from the second on
  uint32_t cached_tokens = 0;  ///< of the prompt, not computed
  FinishReason finish = FinishReason::kStop;  ///< kEnd
  std::string error;                          ///< kEnd with kError: the sentence
  /// Of kEnd; before it what has passed by then: queue_seconds, and of kToken first_token_seconds.
  RequestTimes times;
  MaskedMass masked;  ///< kEnd, of a request with a constraint
};

/// Called on the engine's thread: it must not block, and must not call the engine except for submit() and cancel().
using EventSink = std::function<void(const EngineEvent&)>;

/// What the engine is doing, as one consistent picture.
struct EngineStats {
  uint32_t running = 0, waiting = 0;
  uint32_t num_pages = 0, free_pages = 0, evictable_pages = 0, held_pages = 0;
  uint64_t steps = 0, prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, preemptions = 0;
  uint64_t ended = 0;  ///< requests
  double last_step_seconds = 0;
  double predicted_wait_seconds = 0;  ///< in line, of a request that comes now
  MaskedMass masked;                  ///< of requests that have ended
  double mask_wait_seconds = 0;       ///< that sampling waited for masks, all rows together
};

/// One step, for who measures.
struct StepRecord {
  uint32_t rows = 0, tokens = 0;
  double seconds = 0;
  uint32_t held_pages = 0;
};

/// Serves any number of requests at once: one thread plans, computes, samples and hands tokens out. Everything else
/// talks to it by messages. See engine/README.md.
class Engine {
 public:
  /// Starts the thread. `model` outlives the engine and belongs to it meanwhile. Errors: no memory for the cache, or
  /// less than one page's worth.
  static Result<std::unique_ptr<Engine>> start(LoadedModel& model, const EngineOptions& options);
  /// Cancels what is still there, each with its event, and joins the thread.
  ~Engine();

  /// Puts a request in line; `sink` then gets its events, kEnd exactly once. Errors, and no event: values out of range,
  /// a prompt too long (kTooLong), a token that the model does not have, the line is full (kBusy, with a guess at the
  /// wait).
  Result<SequenceId> submit(EngineRequest request, EventSink sink);
  /// Ends a request within two steps, wherever it is; one that has ended is left alone.
  void cancel(SequenceId id);
  /// Forgets all prefixes that no request is using.
  void reset_prefix_cache();

  EngineStats stats() const;
  /// Prompt and answer together, at most.
  uint32_t max_sequence_tokens() const;
  uint32_t num_pages() const;
  uint64_t kv_bytes() const;
  /// "room for 65,536 tokens, 2 sequences of full length": printed at the start.
  std::string capacity() const;

  /// Called after every step on the engine's thread; it must not call the engine.
  void observe_steps(std::function<void(const StepRecord&)> observer);

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer
