#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace gossamer {

struct GenerateRequest {
  std::vector<TokenId> prompt;  // at least one token
  SamplingParams sampling;
  uint32_t max_tokens = 0;           // 0: to the end of the context
  std::vector<TokenId> stop_tokens;  // the answer ends with the first of them, which is kept in `tokens`
  std::shared_ptr<const TokenConstraint> constraint;  // what the answer may be; null: anything
};

struct GenerateStats {
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;  // of the prompt, not computed: the prefix cache had them
  uint32_t generated_tokens = 0;
  double ttft_seconds = 0;    // from the call to the first token
  double decode_seconds = 0;  // from the first token to the last
  MaskedMass masked;          // what the constraint took from the model
};

struct GenerateResult {
  std::vector<TokenId> tokens;
  FinishReason finish = FinishReason::kStop;
  GenerateStats stats;
};

/// An engine for one user: asks, and waits for the answer. What a prompt has in common with those before is not
/// computed again.
class Session {
 public:
  /// `model` outlives the session. Errors: as Engine::start.
  static Result<Session> start(LoadedModel& model, const EngineOptions& options = {});

  /// Generates until a stop token, `max_tokens`, the end of the context, or `on_token` returning false (cancelled).
  /// `on_token` is called with each token as soon as it is chosen, on the calling thread; `on_prefill` after each chunk
  /// of the prompt with tokens done and all, returning false to cancel. Errors: prompt empty or too long for the
  /// context, a token id that the model does not have, sampling values out of range.
  Result<GenerateResult> generate(const GenerateRequest& request, const std::function<bool(TokenId)>& on_token = {},
                                  const std::function<bool(uint32_t, uint32_t)>& on_prefill = {});

  Engine& engine() { return *engine_; }

 private:
  explicit Session(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
  std::unique_ptr<Engine> engine_;
};

}  // namespace gossamer
