#pragma once
/// Single instructions of device.h as kernels, for the checks of what the tolerances assume of them.

#include "kernels/cuda/step_ops.h"

namespace gossamer::kernels::cuda {

/// d [32 lanes][4] = the sum of `num_steps` instructions one after the other, from zero; a [steps][32][4] and b
/// [steps][32][2] are pairs of 16-bit numbers.
struct MmaProbe {
  const uint32_t* a;
  const uint32_t* b;
  uint32_t num_steps;
  bool bf16;
  float* d;
};
void probe_mma(const MmaProbe& args, Stream stream);

/// Of each pair of numbers.
struct FunctionProbe {
  const float* x;  // [count]
  const float* y;
  uint32_t count;
  float* exp2;      // 2^x
  float* quotient;  // x / y
  uint32_t* bf16;   // x low, y high
  uint32_t* f16;
};
void probe_functions(const FunctionProbe& args, Stream stream);

}  // namespace gossamer::kernels::cuda
