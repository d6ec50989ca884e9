#pragma once

#include <memory>

#include "checkpoint/model_config.h"
#include "kernels/cuda/runtime.h"
#include "model/device_limits.h"
#include "model/host_experts.h"

namespace gossamer {

/// Where experts are to be, and what is known of their use.
struct PlacedExperts {
  ExpertPlacement placement;
  KeptExpertUse kept;
};
/// All weights on the device where `room_bytes` are enough for them; else what every token reads, and beside it as many
/// experts as fit. Reads the counts that were kept then. Errors: less room than what every token reads; weights that no
/// kernel takes.
Result<PlacedExperts> place_experts(const ModelConfig& config, const Weights& weights, const DeviceLimits& limits,
                                    uint64_t room_bytes);

/// Experts in host memory as a device's step uses them: it asks for them when a layer's choices are known, goes on with
/// its own, and has the answer before they are combined. One layer at a time, in one of two ways: by copies between
/// kernels that are started one by one (ask(), answer()), or, where that is recorded in graphs, by kernels that write
/// to and read from the host's memory themselves (tell(), answer_told()).
///
/// What goes to and fro is in pinned memory, a piece for each direction. Nobody writes to a piece that is read: the
/// host waits for the layer's questions, and everything that it sent before is behind these in the stream's order.
class DeviceHostExperts {
 public:
  /// `weights` and `threads` outlive this. Counts go on from those that were kept, and are written at the end where
  /// the limits say a file. Errors: no such backend, no memory.
  static Result<std::unique_ptr<DeviceHostExperts>> make(const ModelConfig& config, const Weights& weights,
                                                         PlacedExperts placed, const DeviceLimits& limits,
                                                         ThreadPool& threads, const ProgressFn& progress);
  ~DeviceHostExperts();
  DeviceHostExperts(const DeviceHostExperts&) = delete;
  DeviceHostExperts& operator=(const DeviceHostExperts&) = delete;

  /// The order in which the device computes a layer's experts, on the device; see PlanOp.
  const uint32_t* order(uint32_t layer) const { return orders_.as<uint32_t>() + uint64_t{layer} * num_experts_; }
  uint32_t num_on_host(uint32_t layer) const { return static_cast<uint32_t>(placement_.on_host(layer).size()); }
  const ExpertPlacement& placement() const { return placement_; }
  const ExpertUse& use() const { return use_; }
  /// How many experts are where, for people; `device_bytes` are those of the weights on the device.
  std::string in_words(uint64_t device_bytes) const;

  /// Memory for batches of so many tokens; nothing of an earlier one may be under way. Errors: there is not so much.
  Status reserve(uint32_t num_tokens);
  /// Sends normed rows and choices (on the device) to the host; waits for nothing.
  void ask(const kernels::cuda::DeviceStream& stream, const HostExperts::Rows& normed, const uint32_t* choices,
           uint32_t num_tokens);
  /// Waits for what ask() sent, computes, and sends the rows to their places in `contracted` [T * A, D], which are the
  /// last ones: the host's experts end the order. Errors: the device failed.
  Status answer(const kernels::cuda::DeviceStream& stream, uint32_t layer, float* contracted);

  /// The same question by a kernel, for a graph: it can be recorded.
  void tell(const kernels::cuda::DeviceStream& stream, const HostExperts::Rows& normed, const uint32_t* choices,
            uint32_t num_tokens);
  /// Before a graph with tell() in it is started.
  void expect();
  /// Waits for what tell() wrote, with the same `normed` and number of tokens, and computes; from then on told_rows()
  /// are there, until the next answer. Errors: as answer().
  Status answer_told(const kernels::cuda::DeviceStream& stream, uint32_t layer, const HostExperts::Rows& normed,
                     uint32_t num_tokens);
  /// Where a kernel finds the answer: the same for all layers, as long as no memory is reserved.
  kernels::cuda::HostRows told_rows() const { return {answer_rows_, first_place_}; }

 private:
  DeviceHostExperts(const ModelConfig& config, PlacedExperts placed, std::unique_ptr<HostExperts> experts,
                    ExpertUseFile file);
  Status send_orders();
  /// The host's rows for the questions that are there, into answer_rows_; gives how many.
  uint32_t compute(uint32_t layer, const HostExperts::Rows& normed, uint32_t num_tokens);

  ExpertPlacement placement_;
  std::unique_ptr<HostExperts> experts_;
  ExpertUse use_;
  ExpertUseFile file_;
  uint32_t hidden_, active_, num_experts_;
  bool found_damage_;  // in the file
  bool has_counted_ = false;
  kernels::cuda::DeviceMemory orders_;  // [layers, E]
  kernels::cuda::DeviceEvent asked_event_;

  uint32_t max_tokens_ = 0;
  kernels::cuda::PinnedMemory questions_, answers_;
  uint32_t* choices_ = nullptr;      // [T, A], of questions_
  uint16_t* normed_ = nullptr;       // [T, stride], of questions_
  uint32_t* told_ = nullptr;         // the flag of tell(), of questions_
  float* answer_rows_ = nullptr;     // [T * A, D], of answers_
  uint32_t* first_place_ = nullptr;  // [1] where they begin among all places, of answers_
  // What was asked by ask().
  HostExperts::Rows asked_{};
  uint32_t num_tokens_ = 0;
};

}  // namespace gossamer
