#include "model/kv_memory.h"

#include <atomic>
#include <cstring>

namespace gossamer {
namespace {

std::atomic<uint64_t> allocations{0};

}  // namespace

uint64_t KvMemory::num_allocations() {
  return allocations;
}

Result<KvMemory> KvMemory::allocate(const kernels::KvLayout& layout, const KvShape& shape, uint32_t num_pages) {
  ++allocations;
  KvMemory kv;
  kv.layout_ = layout;
  kv.num_pages_ = num_pages;
  kv.page_bytes_ = shape.page_bytes();
  GOS_TRY(kv.memory_, BigMemory::allocate(kv.size_bytes(), fmt::format("the KV cache of {} pages", num_pages)));
  return kv;
}

KvMemory KvMemory::of_device(const kernels::KvLayout& layout, const KvShape& shape, uint32_t num_pages,
                             std::shared_ptr<std::byte> memory) {
  ++allocations;
  KvMemory kv;
  kv.layout_ = layout;
  kv.num_pages_ = num_pages;
  kv.page_bytes_ = shape.page_bytes();
  kv.device_memory_ = std::move(memory);
  return kv;
}

void KvMemory::fill(std::byte value) {
  std::memset(memory_.data(), static_cast<int>(value), size_bytes());
}

void KvMemory::populate() {
  if (device_memory_) return;  // a device gives memory at once
  constexpr uint64_t kSmallPage = 4096;
  for (uint64_t at = 0; at < size_bytes(); at += kSmallPage) memory_.data()[at] = std::byte{0};
}

}  // namespace gossamer
