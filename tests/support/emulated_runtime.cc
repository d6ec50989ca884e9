/// A GPU of plain memory: what kernels/cuda/runtime.h promises, where the kernels are emulated.

#include <cstdlib>
#include <cstring>

#include "kernels/cuda/runtime.h"

struct CUstream_st {};

namespace gossamer::kernels::cuda {
namespace {

/// Of exactly that size, so that the address sanitizer sees who reads past it; full of NaN.
std::byte* allocate_poisoned(uint64_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes > 0 ? bytes : 1) != 0) return nullptr;
  std::memset(memory, 0xff, bytes);
  return static_cast<std::byte*>(memory);
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices() {
  return std::vector<DeviceInfo>{{0, "emulated", 80, 2, uint64_t{8} << 30, uint64_t{8} << 30}};
}
Status use_device(int /*index*/) {
  return {};
}

uint64_t free_device_bytes() {
  return uint64_t{8} << 30;
}

bool has_warpgroups() {
  return true;
}

Result<DeviceMemory> DeviceMemory::allocate(uint64_t bytes) {
  DeviceMemory memory;
  memory.memory_.reset(allocate_poisoned(bytes));
  if (!memory.memory_) return make_error(ErrorCode::kIo, "no memory");
  memory.size_bytes_ = bytes;
  return memory;
}
void DeviceMemory::Free::operator()(std::byte* memory) const {
  std::free(memory);
}

Result<PinnedMemory> PinnedMemory::allocate(uint64_t bytes) {
  PinnedMemory memory;
  memory.memory_.reset(allocate_poisoned(bytes));
  if (!memory.memory_) return make_error(ErrorCode::kIo, "no memory");
  memory.size_bytes_ = bytes;
  return memory;
}
void PinnedMemory::Free::operator()(std::byte* memory) const {
  std::free(memory);
}

Result<DeviceStream> DeviceStream::create() {
  DeviceStream stream;
  stream.stream_.reset(new CUstream_st);
  return stream;
}
void DeviceStream::Destroy::operator()(Stream stream) const {
  delete stream;
}
void DeviceStream::copy_to_device(void* to, const void* from, uint64_t bytes) const {
  if (bytes > 0) std::memcpy(to, from, bytes);
}
void DeviceStream::copy_to_host(void* to, const void* from, uint64_t bytes) const {
  if (bytes > 0) std::memcpy(to, from, bytes);
}
void DeviceStream::fill(void* to, uint8_t value, uint64_t bytes) const {
  if (bytes > 0) std::memset(to, value, bytes);
}
Status DeviceStream::synchronize() const {
  return {};
}

}  // namespace gossamer::kernels::cuda
