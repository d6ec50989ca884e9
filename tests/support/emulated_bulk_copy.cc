/// kernels/cuda/bulk_copy.h without an engine: what was asked for is copied by the first thread that waits for it, so
/// that whoever reads before is seen.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "kernels/cuda/bulk_copy.h"

namespace gossamer::emulated {
namespace {

struct Copy {
  void* to;
  const void* from;
  uint32_t bytes;
};
thread_local std::map<uint64_t*, std::vector<Copy>> asked_for;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "emulated device: %s in block %u thread %u\n", what, place().block.x, place().thread.x);
  std::abort();
}

}  // namespace

void begin_bulk_copy(void* to, const void* from, uint32_t bytes, uint64_t* arrival) {
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | bytes) % 16 != 0)
    give_up("a bulk copy is not aligned to 16 bytes");
  asked_for[arrival].push_back({to, from, bytes});
}

/// *arrival counts the phases that are complete; a thread that comes later than others finds its own complete.
void wait_for_bulk_copy(uint64_t* arrival, uint32_t phase) {
  if (*arrival % 2 != phase) return;
  std::vector<Copy>& copies = asked_for[arrival];
  if (copies.empty()) give_up("a thread waits for a bulk copy that nobody asked for");
  for (const Copy& copy : copies) std::memcpy(copy.to, copy.from, copy.bytes);
  copies.clear();
  ++*arrival;
}

}  // namespace gossamer::emulated
