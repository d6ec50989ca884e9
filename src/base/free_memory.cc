#include "base/free_memory.h"

#include <fstream>
#include <string>

namespace gossamer {

uint64_t free_memory_bytes() {
  std::ifstream info("/proc/meminfo");
  std::string field;
  uint64_t kilobytes;
  while (info >> field >> kilobytes) {
    if (field == "MemAvailable:") return kilobytes * 1024;
    info.ignore(256, '\n');
  }
  return 0;
}

}  // namespace gossamer
