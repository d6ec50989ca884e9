#include "support/emulated_copies.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace gossamer::emulated {
namespace {

std::mutex pinned_mutex;
std::map<const std::byte*, uint64_t> pinned_memory;  // begin, bytes

bool is_pinned(const void* address) {
  const auto* at = static_cast<const std::byte*>(address);
  const std::lock_guard lock(pinned_mutex);
  auto after = pinned_memory.upper_bound(at);
  if (after == pinned_memory.begin()) return false;
  --after;
  return at < after->first + after->second;
}

std::vector<std::byte> bytes_at(const void* from, uint64_t bytes) {
  const auto* begin = static_cast<const std::byte*>(from);
  return {begin, begin + bytes};
}

}  // namespace

void know_pinned(const std::byte* memory, uint64_t size_bytes) {
  const std::lock_guard lock(pinned_mutex);
  pinned_memory[memory] = size_bytes;
}

void forget_pinned(const std::byte* memory) {
  const std::lock_guard lock(pinned_mutex);
  pinned_memory.erase(memory);
}

void PendingCopies::to_device(void* to, const void* from, uint64_t bytes) {
  if (bytes == 0) return;
  std::memcpy(to, from, bytes);
  if (is_pinned(from))
    pending_.push_back({static_cast<std::byte*>(const_cast<void*>(from)), bytes_at(from, bytes), false});
}

void PendingCopies::to_host(void* to, const void* from, uint64_t bytes) {
  if (bytes == 0) return;
  if (!is_pinned(to)) {
    std::memcpy(to, from, bytes);
    return;
  }
  pending_.push_back({static_cast<std::byte*>(to), bytes_at(from, bytes), true});
  std::memset(to, 0xff, bytes);
}

void PendingCopies::finish(uint64_t num) {
  for (; num_done_ < num; ++num_done_) {
    const Copy& copy = pending_.front();
    if (copy.is_to_host) {
      std::memcpy(copy.host, copy.bytes.data(), copy.bytes.size());
    } else if (std::memcmp(copy.host, copy.bytes.data(), copy.bytes.size()) != 0) {
      std::fprintf(stderr, "pinned memory was written to while it was on its way to the device\n");
      std::abort();
    }
    pending_.pop_front();
  }
}

}  // namespace gossamer::emulated
