#include "support/emulated_copies.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <span>

namespace gossamer::emulated {
namespace {

std::mutex pinned_mutex;
std::map<const std::byte*, uint64_t> pinned_memory;  // begin, bytes

std::map<const uint32_t*, std::vector<std::byte>> raised_flags;  // what the host may see then

/// The piece of pinned memory around an address; empty where there is none. The mutex is held.
std::span<std::byte> pinned_around(const void* address) {
  const auto* at = static_cast<const std::byte*>(address);
  auto after = pinned_memory.upper_bound(at);
  if (after == pinned_memory.begin()) return {};
  --after;
  if (at >= after->first + after->second) return {};
  return {const_cast<std::byte*>(after->first), after->second};
}

bool is_pinned(const void* address) {
  const std::lock_guard lock(pinned_mutex);
  return !pinned_around(address).empty();
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
  const auto found = pinned_memory.find(memory);
  if (found == pinned_memory.end()) return;
  std::erase_if(raised_flags, [&](const auto& raised) {
    const auto* flag = reinterpret_cast<const std::byte*>(raised.first);
    return flag >= memory && flag < memory + found->second;
  });
  pinned_memory.erase(found);
}

void raise_flag(uint32_t* flag) {
  const std::lock_guard lock(pinned_mutex);
  const std::span<std::byte> piece = pinned_around(flag);
  if (piece.empty()) {
    std::fprintf(stderr, "emulated device: a flag is raised where the host does not see it\n");
    std::abort();
  }
  if (*flag != 0) {
    std::fprintf(stderr, "emulated device: a flag is raised that the host has not lowered\n");
    std::abort();
  }
  *flag = 1;
  raised_flags[flag] = {piece.begin(), piece.end()};
  std::memset(piece.data(), 0xff, piece.size());
}

bool take_flag(const uint32_t* flag) {
  const std::lock_guard lock(pinned_mutex);
  const auto raised = raised_flags.find(flag);
  if (raised == raised_flags.end()) return false;
  std::ranges::copy(raised->second, pinned_around(flag).begin());
  raised_flags.erase(raised);
  return true;
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
