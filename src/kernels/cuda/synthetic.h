#pragma once
/// Weights and caches out of nothing, made where they stay: a model of full size is timed without a file. Numbers
/// follow from seed, tensor and place alone (Philox4x32-10, as in sampling/philox.h), on every card the same.

#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

/// Which numbers: two tensors of a seed, or one tensor of two seeds, have nothing in common.
struct SyntheticName {
  uint64_t seed;
  uint32_t tensor;
};

/// Strips of `copies` equal matrices (experts), one behind the other. What pack_strips() leaves zero, columns and rows
/// that are not there, is zero here too.
struct SyntheticStrips {
  StripShape shape;
  std::byte* strips;
  uint32_t copies;
  SyntheticName name;
  /// Standard deviation of the weights: uniform in bf16 and f16, uniform codes in Q8_0. Codes of MXFP4 are uniform over
  /// all 16, their scales 2^-11 .. 2^-3, most often 2^-7: a deviation of 0.056 whatever stands here.
  float deviation;
  float largest_bias;  // biases are uniform between this and its negative
};
void make_up_strips(const SyntheticStrips& args, Stream stream);

/// Numbers uniform between centre - spread and centre + spread.
struct SyntheticNumbers {
  void* out;  // aligned to 16
  uint64_t count;
  SyntheticName name;
  float centre, spread;
};
void make_up_floats(const SyntheticNumbers& args, Stream stream);
/// In bf16; `count` is a multiple of 8. As a cache of keys and values in bf16 these are the numbers; in int8 any byte
/// is one, and scales are as large as `spread` at most.
void make_up_bf16(const SyntheticNumbers& args, Stream stream);

}  // namespace gossamer::kernels::cuda
