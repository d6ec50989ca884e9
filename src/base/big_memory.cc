#include "base/big_memory.h"

#include <sys/mman.h>

#include "base/cpu_topology.h"

namespace gossamer {

void UnmapMemory::operator()(std::byte* memory) const {
  munmap(memory, size_bytes);
}

Result<BigMemory> BigMemory::allocate(uint64_t size_bytes, const std::string& what) {
  void* memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return make_error(ErrorCode::kIo, "out of memory: {} needs {:.1f} GB", what, static_cast<double>(size_bytes) / 1e9);
  madvise(memory, size_bytes, MADV_HUGEPAGE);  // only advice
  CpuTopology::of_this_machine().interleave(static_cast<std::byte*>(memory), size_bytes);
  BigMemory result;
  result.memory_ = {static_cast<std::byte*>(memory), UnmapMemory{size_bytes}};
  return result;
}

}  // namespace gossamer
