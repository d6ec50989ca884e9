#pragma once

#include <string>

namespace gossamer {

/// What this processor and operating system offer, as far as gossamer has code for it.
struct CpuFeatures {
  bool avx2 = false;    ///< AVX2, FMA, F16C and BMI2
  bool avx512 = false;  ///< AVX-512 F, BW, VL, DQ, VBMI and VNNI
  bool amx = false;     ///< avx512, and AMX's tiles of bfloat16, which the system lets this process use
};

/// Asked of the processor once.
const CpuFeatures& cpu_features();

/// The processor's own name ("AMD EPYC ..."), "unknown" where it has none.
std::string cpu_name();

/// Processors this process may run on (its affinity mask), at least 1.
unsigned available_cpus();

}  // namespace gossamer
