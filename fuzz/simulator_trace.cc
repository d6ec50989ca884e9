#include <cstdint>
#include <string_view>

#include "simulator/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)gossamer::simulator::parse_trace({reinterpret_cast<const char*>(data), size}, "fuzz");
  return 0;
}
