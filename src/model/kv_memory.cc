#include "model/kv_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>

namespace gossamer {
namespace {

std::atomic<uint64_t> allocations{0};

}  // namespace

uint64_t KvMemory::num_allocations() {
  return allocations;
}

void UnmapMemory::operator()(std::byte* memory) const {
  munmap(memory, size_bytes);
}

Result<KvMemory> KvMemory::allocate(const kernels::KvLayout& layout, const KvShape& shape, uint32_t num_pages) {
  ++allocations;
  KvMemory kv;
  kv.layout_ = layout;
  kv.num_pages_ = num_pages;
  kv.page_bytes_ = shape.page_bytes();
  void* memory =
      mmap(nullptr, kv.size_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return make_error(ErrorCode::kIo, "out of memory: the KV cache of {} pages needs {:.1f} GB; ask for fewer tokens",
                      num_pages, static_cast<double>(kv.size_bytes()) / 1e9);
  madvise(memory, kv.size_bytes(), MADV_HUGEPAGE);  // only advice
  kv.memory_ = {static_cast<std::byte*>(memory), UnmapMemory{kv.size_bytes()}};
  return kv;
}

void KvMemory::fill(std::byte value) {
  std::memset(memory_.get(), static_cast<int>(value), size_bytes());
}

void KvMemory::populate() {
  constexpr uint64_t kSmallPage = 4096;
  for (uint64_t at = 0; at < size_bytes(); at += kSmallPage) memory_.get()[at] = std::byte{0};
}

}  // namespace gossamer
