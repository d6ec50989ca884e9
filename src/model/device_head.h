#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "kernels/cuda/runtime.h"
#include "model/batch.h"

namespace gossamer {

/// Orders on their way to the device: written into pinned memory, copied from there while the host goes on, one behind
/// the other until all have arrived.
class OrderStage {
 public:
  /// Errors: no memory.
  Status reserve(uint64_t bytes);
  uint64_t size_bytes() const { return host_.size_bytes(); }

  /// Where the next so many bytes are to be written. Waits for the stream where the rest is too small, and takes more
  /// memory where all of it is.
  Result<std::byte*> take(uint64_t bytes, const kernels::cuda::DeviceStream& stream);
  /// Copies what was written there; gives where it is on the device, aligned to 256.
  std::byte* send(const kernels::cuda::DeviceStream& stream);
  /// Everything has arrived.
  void rewind() { used_bytes_ = taken_bytes_ = 0; }

 private:
  kernels::cuda::PinnedMemory host_;
  kernels::cuda::DeviceMemory device_;
  uint64_t used_bytes_ = 0, taken_bytes_ = 0;
};

/// The head on a GPU: of the positions that were asked for, all logits or the best few come to the host; other rows of
/// logits stay, and a token of each is drawn there. Two steps may be under way: the tokens of the first are not known
/// to the host when the second begins.
class DeviceHead {
 public:
  DeviceHead(uint32_t vocab, uint32_t padded_hidden) : vocab_(vocab), padded_(padded_hidden) {}

  /// Takes all memory for steps in which the logits of so many rows stay; forgets steps under way. Errors: there is not
  /// so much.
  Status prepare(uint32_t max_rows, const kernels::cuda::DeviceStream& stream);

  /// Before anything of a step is given to the stream: sends what was drawn in the last one to the host, and waits for
  /// the one before that, if nobody has. Errors: the device failed.
  Status begin_step(const kernels::cuda::DeviceStream& stream);

  /// logits [num_rows, V] = the head's product with the residual stream of `tokens` (numbers on the device), normed to
  /// `normed` [num_rows, padded D] first.
  using Project = std::function<void(const uint32_t* tokens, uint32_t num_rows, uint16_t* normed, float* logits)>;
  /// See Model::forward(). Waits for the stream where anything comes to the host; where all logits stay, for nothing.
  Result<std::span<const float>> unembed(const Batch& batch, const kernels::cuda::DeviceStream& stream,
                                         const Project& project);

  /// See ForwardPass.
  Status draw(std::span<const DrawWish> wishes, const kernels::cuda::DeviceStream& stream);
  uint64_t last_step() const { return last_step_; }
  Status finish_draws(uint64_t step, const kernels::cuda::DeviceStream& stream);

  /// On the device, from begin_step() to unembed(): what was drawn in the step before, by row of those that stayed.
  std::span<const kernels::cuda::DrawnToken> drawn_before() const;

 private:
  /// A position that wants logits.
  struct Asked;
  /// What kernels give for some rows, one behind the other: on the device, and again in pinned memory of the host.
  struct Answers {
    kernels::cuda::DrawnToken* drawn;      // [rows]
    double* log_sum_exp;                   // [rows]
    float* largest;                        // [rows]
    uint32_t* num_best;                    // [rows]
    kernels::cuda::DeviceCandidate* best;  // [rows, max_k]
    uint32_t num_rows, max_k;
    uint64_t bytes;
  };
  static Answers cut_answers(std::byte* memory, uint32_t num_rows, uint32_t max_k);
  /// Rows that are computed together.
  struct Rows {
    uint32_t max_rows = 0;
    uint16_t* normed;    // [max_rows, padded D]
    float* logits;       // [max_rows, V]
    std::byte* answers;  // at most those of kMostCandidates each
  };
  /// What is known here of a step whose logits stayed.
  struct Step {
    uint64_t number = 0;
    Answers stayed{};                                   // on the device
    std::vector<TopWish> tops;                          // of the rows that stayed
    std::vector<Drawn*> drawn;                          // of the same rows; null: not drawn
    OrderStage orders;                                  // of its head and its draws
    kernels::cuda::PinnedMemory host_answers;           // a copy of `stayed`
    std::optional<kernels::cuda::DeviceEvent> arrived;  // when that copy is there
    bool is_sent = false;                               // it is on its way

    void forget() {
      number = 0;
      stayed = {};
      tops.clear();
      drawn.clear();
      is_sent = false;
    }
  };
  Step& step_of(uint64_t number) { return steps_[number % 2]; }
  const Step& step_of(uint64_t number) const { return steps_[number % 2]; }

  Status take_memory(uint32_t max_rows, const kernels::cuda::DeviceStream& stream);
  /// Memory of the host for so many rows that stay, where the step has less.
  Status reserve(Step& step) const;
  Status send_answers(Step& step, const kernels::cuda::DeviceStream& stream) const;
  /// Starts everything for `asked` that can be done before late masks are there.
  Result<Answers> start(std::span<const Asked> asked, const Rows& rows, const kernels::cuda::DeviceStream& stream,
                        const Project& project);
  /// Copies answers of passing_ to the host, and waits.
  Result<Answers> fetch(const Answers& answers, const kernels::cuda::DeviceStream& stream);
  void fill(const TopWish& wish, const Answers& here, uint32_t row) const;
  Status choose_here(const TopWish& wish, const float* logits, const kernels::cuda::DeviceStream& stream);
  Status draw_some(std::span<const DrawWish> wishes, const kernels::cuda::DeviceStream& stream);

  uint32_t vocab_, padded_;
  kernels::cuda::DeviceMemory memory_;
  kernels::cuda::PinnedMemory host_answers_;  // of passing_
  Rows staying_{}, passing_{};
  // Of draws, by row of staying_ but for `own`.
  float* own_;  // [V]
  kernels::cuda::DrawSlice* slices_;
  kernels::cuda::DrawCut* cuts_;
  float* sums_;

  uint64_t last_step_ = 0;
  Step steps_[2];              // the last one and the one before it
  std::vector<float> logits_;  // for the host
  std::vector<float> row_here_;
};

}  // namespace gossamer
