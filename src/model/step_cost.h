#pragma once
/// What a step costs at least, and what the kernels that there are would take: bytes, operations and time on paper.
/// Nothing is measured here.

#include <string_view>
#include <vector>

#include "checkpoint/model_config.h"
#include "kernels/kv_layout.h"
#include "model/synthetic_model.h"

namespace gossamer {

/// What a step computes.
struct StepWork {
  uint32_t num_tokens = 1;  ///< rows of the products
  uint32_t num_logits = 1;  ///< rows of the head
  uint64_t cached_tokens[2] =
      {};                  ///< in a layer, full and sliding: positions whose keys and values are read, each once
  uint64_t looks[2] = {};  ///< in a layer, full and sliding: positions that tokens look at, added up
  double experts = 0;      ///< that a layer needs, in the mean; 0: as many as chance has it
};

/// One new token of each of `batch` sequences, behind `context` others.
StepWork decode_work(const ModelConfig& config, uint32_t batch, uint32_t context);
/// `length` tokens of one sequence, behind `start` others; only the last one has logits.
StepWork prefill_work(const ModelConfig& config, uint32_t start, uint32_t length);
/// Experts that some token of `num_tokens` chose, where all are chosen equally often.
double expected_experts(const ModelConfig& config, uint32_t num_tokens);

/// How the weights and the cache are kept.
struct StepFormats {
  kernels::cuda::StripFormat dense = kernels::cuda::StripFormat::kBf16;  // attention and head; experts are MXFP4
  kernels::KvDtype kv = kernels::KvDtype::kBf16;
};

/// One kind of work of a step, over all layers.
struct StepPart {
  std::string_view name;         ///< "qkv", "experts", "head"
  double bytes = 0, flops = 0;   ///< read at least; multiplications and additions
  double lane_instructions = 0;  ///< of products, as they are compiled (docs/cuda.md)
  uint32_t launches = 0;
};
std::vector<StepPart> parts_of_step(const ModelConfig& config, const StepFormats& formats, const StepWork& work);

/// What a device can do, measured or given. 0: not known.
struct DeviceRoof {
  double read_bytes_per_s = 0;
  double flops_per_s = 0;              ///< tensor cores, bf16 with sums in float32
  double lane_instructions_per_s = 0;  ///< 128 lanes a multiprocessor and clock
  double launch_seconds = 2.5e-6;      ///< a kernel that follows another begins and ends; assumed where not measured

  bool is_known() const { return read_bytes_per_s > 0 && flops_per_s > 0; }
};

/// Bytes and operations of all parts, and two times. 0 where the roof is not known.
struct StepCost {
  double bytes = 0, flops = 0;
  double limit_seconds = 0;      ///< nothing can be faster: all bytes or all operations, whichever takes longer
  double predicted_seconds = 0;  ///< of these kernels: each part by what bounds it, and what starting a kernel takes
};
StepCost cost_of(const std::vector<StepPart>& parts, const DeviceRoof& roof);

}  // namespace gossamer
