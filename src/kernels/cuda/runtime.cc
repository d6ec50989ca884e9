#include "kernels/cuda/runtime.h"

#include <cuda_runtime.h>

namespace gossamer::kernels::cuda {
namespace {

constexpr int kLeastCapability = 80;

Status check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  return make_error(error == cudaErrorMemoryAllocation ? ErrorCode::kBusy : ErrorCode::kIo, "the GPU cannot {}: {}",
                    what, cudaGetErrorString(error));
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver)
    return make_error(ErrorCode::kUnsupported,
                      "there is no NVIDIA driver, or one too old for CUDA 13 (580 is the first)");
  if (error != cudaSuccess || count == 0)
    return make_error(ErrorCode::kUnsupported, "there is no NVIDIA GPU: {}", cudaGetErrorString(error));
  std::vector<DeviceInfo> devices;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties;
    GOS_TRY_STATUS(check(cudaGetDeviceProperties(&properties, index), "tell what it is"));
    const int capability = properties.major * 10 + properties.minor;
    if (capability < kLeastCapability) continue;
    size_t free_bytes = 0, total_bytes = 0;
    GOS_TRY_STATUS(check(cudaSetDevice(index), "be used"));
    GOS_TRY_STATUS(check(cudaMemGetInfo(&free_bytes, &total_bytes), "tell how much memory it has"));
    devices.push_back({index, properties.name, static_cast<uint32_t>(capability),
                       static_cast<uint32_t>(properties.multiProcessorCount), total_bytes, free_bytes});
  }
  if (devices.empty())
    return make_error(ErrorCode::kUnsupported, "no GPU here has compute capability 8.0 (Ampere) or newer");
  return devices;
}

Status use_device(int index) {
  return check(cudaSetDevice(index), "be used");
}

uint64_t free_device_bytes() {
  size_t free_bytes = 0, total_bytes = 0;
  return cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess ? free_bytes : 0;
}

bool has_warpgroups() {
  int device = 0, major = 0, minor = 0;
  return cudaGetDevice(&device) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
         cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess && major == 9 &&
         minor == 0;
}

Result<DeviceMemory> DeviceMemory::allocate(uint64_t bytes) {
  void* pointer = nullptr;
  if (cudaMalloc(&pointer, bytes) != cudaSuccess) {
    cudaGetLastError();  // it would be found again by whoever asks next
    return make_error(ErrorCode::kIo, "the GPU has no {:.2f} GB of memory left", static_cast<double>(bytes) / 1e9);
  }
  DeviceMemory memory;
  memory.memory_.reset(static_cast<std::byte*>(pointer));
  memory.size_bytes_ = bytes;
  return Result<DeviceMemory>(std::move(memory));
}
void DeviceMemory::Free::operator()(std::byte* memory) const {
  cudaFree(memory);
}

Result<PinnedMemory> PinnedMemory::allocate(uint64_t bytes) {
  void* pointer = nullptr;
  GOS_TRY_STATUS(check(cudaMallocHost(&pointer, bytes), "get pinned memory of the host"));
  PinnedMemory memory;
  memory.memory_.reset(static_cast<std::byte*>(pointer));
  memory.size_bytes_ = bytes;
  return Result<PinnedMemory>(std::move(memory));
}
void PinnedMemory::Free::operator()(std::byte* memory) const {
  cudaFreeHost(memory);
}

Result<DeviceStream> DeviceStream::create() {
  cudaStream_t made = nullptr;
  GOS_TRY_STATUS(check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "make a stream"));
  DeviceStream stream;
  stream.stream_.reset(made);
  return Result<DeviceStream>(std::move(stream));
}
void DeviceStream::Destroy::operator()(Stream stream) const {
  cudaStreamDestroy(stream);
}
void DeviceStream::copy_to_device(void* to, const void* from, uint64_t bytes) const {
  cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, get());
}
void DeviceStream::copy_to_host(void* to, const void* from, uint64_t bytes) const {
  cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, get());
}
void DeviceStream::fill(void* to, uint8_t value, uint64_t bytes) const {
  cudaMemsetAsync(to, value, bytes, get());
}
Status DeviceStream::synchronize() const {
  GOS_TRY_STATUS(check(cudaGetLastError(), "start a kernel"));
  return check(cudaStreamSynchronize(get()), "compute");
}

}  // namespace gossamer::kernels::cuda
