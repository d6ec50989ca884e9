#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/cpu/isas.h"

namespace gossamer::kernels {
namespace {

/// AMX with bf16 is there, the system, which has to be asked for the room that tiles take, grants it, and they compute
/// what they should.
bool has_tiles() {
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // CPUID 7.0, EDX
  constexpr int kRequestPermission = 0x1023, kTileData = 18;    // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kAmxBf16) || !(d & kAmxTile)) return false;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 && amx::tiles_work();
}

}  // namespace

std::vector<const IsaKernels*> available_isas() {
  // Everything that a folder is compiled with (cmake/isa.cmake). __builtin_cpu_supports also checks that the operating
  // system saves the wide registers.
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                        __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  const bool has_avx512bf16 = has_avx512 && __builtin_cpu_supports("avx512bf16");
  static const bool has_amx = has_avx512bf16 && has_tiles();
  std::vector<const IsaKernels*> isas;
  if (has_amx) isas.push_back(&amx::isa_kernels());
  if (has_avx512bf16) isas.push_back(&avx512bf16::isa_kernels());
  if (has_avx512) isas.push_back(&avx512::isa_kernels());
  if (has_avx2) isas.push_back(&avx2::isa_kernels());
  return isas;
}

}  // namespace gossamer::kernels
