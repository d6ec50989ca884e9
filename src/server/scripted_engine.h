#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "server/token_source.h"

namespace gossamer::server {

/// What a ScriptedEngine answers: the same tokens to everybody, or the next of several answers to each request in turn.
struct Script {
  std::vector<std::vector<TokenId>> answers;  ///< one at least
  double seconds_per_token = 0;
  double first_token_seconds = 0;
  uint32_t max_sequence_tokens = 131072;
  uint32_t cached_tokens = 0;  ///< of each prompt, as events tell it
  uint32_t max_waiting = ~0u;  ///< requests at once; more are kBusy
};

/// An engine without a model: it answers at once, with tokens that it was given, one a turn to each request that runs,
/// as the real one does. Stop tokens, max_tokens, deadlines and cancels end answers; an answer whose tokens run out
/// ends as if it had stopped. A token's logprob is -0.5, the runners-up are the ids above it, each 1 less likely.
class ScriptedEngine final : public TokenSource {
 public:
  explicit ScriptedEngine(Script script);
  /// Cancels what runs.
  ~ScriptedEngine() override;

  Result<SequenceId> submit(EngineRequest request, EventSink sink) override;
  void cancel(SequenceId id) override;
  EngineStats stats() const override;
  uint32_t max_sequence_tokens() const override { return script_.max_sequence_tokens; }
  void reset_prefix_cache() override {}

 private:
  struct Running;
  void run();
  bool advance(SequenceId id, Running& running, double now);
  void end(SequenceId id, Running& running, FinishReason reason, double now);

  const Script script_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::vector<std::pair<SequenceId, Running>> arrived_;
  std::vector<SequenceId> cancels_;
  EngineStats stats_;
  SequenceId next_id_ = 1;
  uint64_t num_submitted_ = 0;
  bool stopping_ = false;
  std::unordered_map<SequenceId, Running> running_;  // the thread's own
  std::thread thread_;
};

}  // namespace gossamer::server
