#include "kernels/cuda/runtime.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "kernels/cuda/launch_settings.h"

namespace gossamer::kernels::cuda {
namespace {

constexpr uint32_t kLeastCapability = 80;
constexpr int kOverlapCapability = 90;

std::atomic<bool> overlap{false};
std::atomic<uint64_t> allocations{0}, allocated_bytes{0};

/// What failed is said here, and not found again by whoever asks next.
Status check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();
  return make_error(error == cudaErrorMemoryAllocation ? ErrorCode::kBusy : ErrorCode::kIo, "the GPU cannot {}: {}",
                    what, cudaGetErrorString(error));
}

/// Without its free memory: the driver makes a context on the card to tell that, some hundred megabytes of it, and
/// cannot where the card is another's.
Result<DeviceInfo> describe(int index) {
  cudaDeviceProp properties;
  GOS_TRY_STATUS(check(cudaGetDeviceProperties(&properties, index), "tell what it is"));
  return DeviceInfo{index,
                    properties.name,
                    static_cast<uint32_t>(properties.major * 10 + properties.minor),
                    static_cast<uint32_t>(properties.multiProcessorCount),
                    properties.totalGlobalMem,
                    0};
}

/// Kernels take their memory when the device is first used, and not in a step when all that is free has been given
/// away: the driver's own way is to load each when it is first started.
void load_kernels_at_once() {
  static std::once_flag once;
  std::call_once(once, [] { setenv("CUDA_MODULE_LOADING", "EAGER", 0); });
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices() {
  load_kernels_at_once();
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver)
    return make_error(
        ErrorCode::kUnsupported,
        "there is no NVIDIA driver, or one too old for CUDA 13; install 580 or newer, in a container pass the "
        "GPU in (--gpus all), or compute with --device cpu");
  if (error != cudaSuccess || count == 0)
    return make_error(ErrorCode::kUnsupported, "there is no NVIDIA GPU: {}", cudaGetErrorString(error));
  std::vector<DeviceInfo> devices;
  for (int index = 0; index < count; ++index) {
    GOS_TRY(DeviceInfo device, describe(index));
    if (device.capability >= kLeastCapability) devices.push_back(std::move(device));
  }
  if (devices.empty())
    return make_error(ErrorCode::kUnsupported, "no GPU here has compute capability 8.0 (Ampere) or newer");
  return devices;
}

Status use_device(int index) {
  GOS_TRY_STATUS(check(cudaSetDevice(index), "be used"));
  int major = 0, minor = 0;
  GOS_TRY_STATUS(check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index), "tell what it is"));
  GOS_TRY_STATUS(check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index), "tell what it is"));
  cudaFuncAttributes code{};
  if (cudaFuncGetAttributes(&code, any_kernel()) != cudaSuccess) {
    cudaGetLastError();
    return make_error(ErrorCode::kUnsupported,
                      "this program has no kernels for GPU {} (compute capability {}.{}): it was built for others; "
                      "build it for this one with -DCMAKE_CUDA_ARCHITECTURES={}{}{}-real",
                      index, major, minor, major, minor, major >= 9 ? "a" : "");
  }
  overlap = code.ptxVersion >= kOverlapCapability;
  return {};
}

bool launches_overlap() {
  return overlap;
}

void allow_shared_bytes(const void* kernel, size_t bytes) {
  struct Allowed {
    const void* kernel;
    size_t bytes;
  };
  static std::mutex mutex;
  static std::vector<Allowed> all;
  const std::lock_guard lock(mutex);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Allowed& each) { return each.kernel == kernel; });
  if (found != all.end() && found->bytes >= bytes) return;
  // Where it fails the launch does too, and the next synchronize() says so.
  if (cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)) != cudaSuccess)
    return;
  if (found != all.end())
    found->bytes = bytes;
  else
    all.push_back({kernel, bytes});
}

Result<DeviceInfo> device_in_use() {
  int index = 0;
  GOS_TRY_STATUS(check(cudaGetDevice(&index), "be found"));
  GOS_TRY(DeviceInfo device, describe(index));
  size_t free_bytes = 0, total_bytes = 0;
  GOS_TRY_STATUS(check(cudaMemGetInfo(&free_bytes, &total_bytes), "tell how much memory it has"));
  device.total_bytes = total_bytes;
  device.free_bytes = free_bytes;
  return Result<DeviceInfo>(std::move(device));
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
         minor == 0 && overlap;  // else the card translates code for Ampere, in which these kernels are empty
}

Result<DeviceMemory> DeviceMemory::allocate(uint64_t bytes) {
  void* pointer = nullptr;
  if (cudaMalloc(&pointer, bytes) != cudaSuccess) {
    cudaGetLastError();  // it would be found again by whoever asks next
    return make_error(ErrorCode::kIo, "the GPU has no {:.2f} GB of memory left", static_cast<double>(bytes) / 1e9);
  }
  ++allocations;
  allocated_bytes += bytes;
  DeviceMemory memory;
  memory.memory_ = {static_cast<std::byte*>(pointer), Free{bytes}};
  return Result<DeviceMemory>(std::move(memory));
}
void DeviceMemory::Free::operator()(std::byte* memory) const {
  cudaFree(memory);
  allocated_bytes -= size_bytes;
}
uint64_t DeviceMemory::num_allocations() {
  return allocations;
}
uint64_t DeviceMemory::bytes_in_use() {
  return allocated_bytes;
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
Status DeviceStream::use_device() const {
  int index = 0;
  GOS_TRY_STATUS(check(cudaStreamGetDevice(get(), &index), "tell which it is"));
  return check(cudaSetDevice(index), "be used");
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
Status DeviceStream::check_started() const {
  return check(cudaGetLastError(), "start a kernel");
}
Status DeviceStream::synchronize() const {
  GOS_TRY_STATUS(check_started());
  return check(cudaStreamSynchronize(get()), "compute");
}

Result<DeviceGraph> DeviceGraph::record(const DeviceStream& stream, const std::function<void()>& work) {
  GOS_TRY_STATUS(check(cudaGetLastError(), "start a kernel"));
  GOS_TRY_STATUS(check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "record a graph"));
  work();
  const Status started = check(cudaGetLastError(), "record a kernel");
  cudaGraph_t recorded = nullptr;
  Status done = check(cudaStreamEndCapture(stream.get(), &recorded), "record a graph");
  cudaGraphExec_t made = nullptr;
  if (started.ok() && done.ok()) done = check(cudaGraphInstantiate(&made, recorded, 0), "make a graph");
  if (recorded) cudaGraphDestroy(recorded);
  cudaGetLastError();  // what failed here is said here, and not found again by whoever asks next
  GOS_TRY_STATUS(started);
  GOS_TRY_STATUS(std::move(done));
  DeviceGraph graph;
  graph.graph_.reset(made);
  GOS_TRY_STATUS(check(cudaGraphUpload(made, stream.get()), "take a graph"));
  return Result<DeviceGraph>(std::move(graph));
}
void DeviceGraph::Destroy::operator()(CUgraphExec_st* graph) const {
  cudaGraphExecDestroy(graph);
}
void DeviceGraph::launch(const DeviceStream& stream) const {
  cudaGraphLaunch(graph_.get(), stream.get());
}

Result<DeviceEvent> DeviceEvent::create() {
  cudaEvent_t made = nullptr;
  GOS_TRY_STATUS(check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), "make an event"));
  DeviceEvent event;
  event.event_.reset(made);
  return Result<DeviceEvent>(std::move(event));
}
void DeviceEvent::Destroy::operator()(CUevent_st* event) const {
  cudaEventDestroy(event);
}
void DeviceEvent::record(const DeviceStream& stream) const {
  cudaEventRecord(event_.get(), stream.get());
}
Status DeviceEvent::synchronize() const {
  GOS_TRY_STATUS(check(cudaGetLastError(), "start a kernel"));
  return check(cudaEventSynchronize(event_.get()), "compute");
}

void lower_flag(uint32_t* flag) {
  std::atomic_ref(*flag).store(0, std::memory_order_relaxed);
}

/// The stream is asked seldom: the driver's answer takes longer than a look.
Status wait_for_flag(uint32_t* flag, const DeviceStream& stream) {
  constexpr uint32_t kLooksPerQuestion = 4096;
  const std::atomic_ref seen(*flag);
  const auto is_raised = [&] { return seen.load(std::memory_order_acquire) != 0; };
  GOS_TRY_STATUS(stream.check_started());
  for (;;) {
    for (uint32_t looks = 0; looks < kLooksPerQuestion; ++looks)
      if (is_raised()) return {};
    const cudaError_t state = cudaStreamQuery(stream.get());
    if (state == cudaErrorNotReady) {
      cudaGetLastError();  // no error, whatever the driver keeps of it
      continue;
    }
    GOS_TRY_STATUS(check(state, "compute"));
    if (is_raised()) return {};
    return make_error(ErrorCode::kIo, "the GPU has ended its part of a layer and not asked the host for its own");
  }
}

struct DeviceTimer::Events {
  cudaEvent_t begin = nullptr, end = nullptr;
};
Result<DeviceTimer> DeviceTimer::create() {
  DeviceTimer timer;
  timer.events_.reset(new Events);
  GOS_TRY_STATUS(check(cudaEventCreate(&timer.events_->begin), "make an event"));
  GOS_TRY_STATUS(check(cudaEventCreate(&timer.events_->end), "make an event"));
  return Result<DeviceTimer>(std::move(timer));
}
void DeviceTimer::Destroy::operator()(Events* events) const {
  if (events->begin) cudaEventDestroy(events->begin);
  if (events->end) cudaEventDestroy(events->end);
  delete events;
}
void DeviceTimer::start(const DeviceStream& stream) {
  cudaEventRecord(events_->begin, stream.get());
}
void DeviceTimer::stop(const DeviceStream& stream) {
  cudaEventRecord(events_->end, stream.get());
}
Result<double> DeviceTimer::microseconds() {
  GOS_TRY_STATUS(check(cudaGetLastError(), "start a kernel"));
  GOS_TRY_STATUS(check(cudaEventSynchronize(events_->end), "compute"));
  float milliseconds = 0;
  GOS_TRY_STATUS(check(cudaEventElapsedTime(&milliseconds, events_->begin, events_->end), "tell the time"));
  return static_cast<double>(milliseconds) * 1e3;
}

}  // namespace gossamer::kernels::cuda
