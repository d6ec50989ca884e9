/// A GPU of plain memory: what kernels/cuda/runtime.h promises, where the kernels are emulated.

#include <cstdlib>
#include <cstring>

#include "kernels/cuda/runtime.h"
#include "support/emulated_copies.h"

struct CUstream_st {
  gossamer::emulated::PendingCopies copies;
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
  uint64_t num_copies = 0;
};

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
  emulated::know_pinned(memory.data(), bytes);
  return memory;
}
void PinnedMemory::Free::operator()(std::byte* memory) const {
  emulated::forget_pinned(memory);
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
  get()->copies.to_device(to, from, bytes);
}
void DeviceStream::copy_to_host(void* to, const void* from, uint64_t bytes) const {
  get()->copies.to_host(to, from, bytes);
}
void DeviceStream::fill(void* to, uint8_t value, uint64_t bytes) const {
  if (bytes > 0) std::memset(to, value, bytes);
}
Status DeviceStream::synchronize() const {
  get()->copies.finish(get()->copies.num_begun());
  return {};
}

Result<DeviceEvent> DeviceEvent::create() {
  DeviceEvent event;
  event.event_.reset(new CUevent_st);
  return event;
}
void DeviceEvent::Destroy::operator()(CUevent_st* event) const {
  delete event;
}
void DeviceEvent::record(const DeviceStream& stream) const {
  event_->stream = stream.get();
  event_->num_copies = stream.get()->copies.num_begun();
}
Status DeviceEvent::synchronize() const {
  if (event_->stream) event_->stream->copies.finish(event_->num_copies);
  return {};
}

}  // namespace gossamer::kernels::cuda
