#include "kernels/cpu/isas.h"

namespace gossamer::kernels {

std::vector<const IsaKernels*> available_isas() {
  // __builtin_cpu_supports also checks that the operating system saves the wide registers.
  __builtin_cpu_init();
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  std::vector<const IsaKernels*> isas;
  if (has_avx512 && __builtin_cpu_supports("avx512bf16")) isas.push_back(&avx512bf16::isa_kernels());
  if (has_avx512) isas.push_back(&avx512::isa_kernels());
  if (has_avx2) isas.push_back(&avx2::isa_kernels());
  return isas;
}

}  // namespace gossamer::kernels
