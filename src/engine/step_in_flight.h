#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/live_request.h"
#include "engine/loaded_model.h"
#include "engine/mask_worker.h"
#include "engine/step_plan.h"

namespace gossamer {

/// A step from its plan to its tokens: launch(), draw(), finish(), each once and on the engine's thread. Where logits
/// stay on a device another step may be launched between draw() and finish(): it begins with the tokens that are being
/// drawn. Whatever fails is told by finish(), and nothing is begun after it.
///
/// Requests may end and sequences be preempted while a step is under way: what was computed of them counts for nothing,
/// see is_wanted().
class StepInFlight {
 public:
  /// What a row gave.
  struct RowResult : TokenChooser::Choice {
    bool is_wanted = false;  ///< the request is still there, and its sequence as it was planned
    std::vector<Logprobs> prompt_logprobs;
  };

  /// `loaded`, `memory` and `live` outlive the step.
  StepInFlight(StepPlan plan, LoadedModel& loaded, const KvMemory& memory, LiveRequests& live);
  /// Waits for the device, where it is still at it: nothing of the step may be gone before.
  ~StepInFlight();

  /// Starts the forward pass; on the host it is over then. `before`: the step whose tokens nobody knows yet; null: all
  /// are known.
  void launch(const StepInFlight* before);
  /// Whether the host has to do nothing before all of it is drawn: then finish() may come after the next launch().
  bool leaves_host_free() const { return leaves_host_free_ && failure_.ok(); }
  /// Has tokens drawn where the logits stayed: first those that wait for nothing, the others when their masks are
  /// there. Masks are computed meanwhile on all threads, as far as nobody did so before.
  void draw();
  /// Waits, and chooses on all threads: logprobs of prompt tokens, and one token where a row samples, or why there is
  /// none. Those that go on have their next masks computed by `mask_worker` from here on.
  Status finish(MaskWorker& mask_worker);

  const StepPlan& plan() const { return plan_; }
  /// By row of the plan; after finish().
  std::span<RowResult> results() { return results_; }
  std::chrono::steady_clock::time_point begin() const { return begin_; }

 private:
  /// Of a row's positions, whose logits came here, one behind the other.
  struct HostLogits {
    uint32_t scored = 0;  // its first positions, for logprobs of the prompt
    bool last = false;    // and its last, for the next token
  };
  bool is_wanted(const PlannedRow& row) const;
  Batch make_batch(const StepInFlight* before);
  uint32_t scored_positions(const PlannedRow& row) const;
  /// The number of a row that samples among those that do.
  uint32_t sampling_number(SequenceId id) const;
  Status draw_rows();
  void choose_tokens(std::span<const float> logits);

  const StepPlan plan_;
  LoadedModel& loaded_;
  const KvMemory& memory_;
  LiveRequests& live_;
  ForwardPass* const elsewhere_;  // where tokens are drawn; null: the logits come here
  const std::chrono::steady_clock::time_point begin_;
  Status failure_;
  bool is_under_way_ = false, leaves_host_free_ = false;
  uint64_t number_ = 0;            // of the step, where tokens are drawn
  std::span<const float> logits_;  // that came here; the model's, until it is given another step
  // One for each row.
  std::vector<HostLogits> host_logits_;
  std::vector<kernels::TopLogits> tops_;
  std::vector<std::optional<Drawn>> drawn_;
  std::vector<RowResult> results_;
};

}  // namespace gossamer
