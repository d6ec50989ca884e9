#include <cpuid.h>
#include <immintrin.h>

#include <cstring>

#include "base/cpu.h"

namespace gossamer {

std::string cpu_name() {
  unsigned registers[12] = {};
  for (unsigned leaf = 0; leaf < 3; ++leaf)
    if (!__get_cpuid(0x80000002u + leaf, &registers[4 * leaf], &registers[4 * leaf + 1], &registers[4 * leaf + 2],
                     &registers[4 * leaf + 3]))
      return "x86-64";
  char text[49] = {};
  std::memcpy(text, registers, 48);
  std::string name(text);
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return name.empty() ? "x86-64" : name;
}

void cpu_relax() {
  _mm_pause();
}

}  // namespace gossamer
