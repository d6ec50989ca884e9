/// A GPU of plain memory: what kernels/cuda/runtime.h promises, where the kernels are emulated.

#include "support/emulated_runtime.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/cuda/device_facts.h"
#include "kernels/cuda/launch_settings.h"
#include "kernels/cuda/runtime.h"
#include "support/emulated_copies.h"
#include "support/emulated_device.h"

struct CUgraphExec_st {
  /// Kernels in a row, or a copy.
  struct Work {
    std::vector<gossamer::emulated::Launch> launches;
    std::function<void()> copy;
  };
  std::vector<Work> work;
};
struct CUstream_st {
  CUgraphExec_st* recording = nullptr;  // null: work is done at once
  gossamer::emulated::PendingCopies copies;
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
  uint64_t num_copies = 0;
};

namespace gossamer::emulated {
namespace {

constexpr uint64_t kDeviceBytes = uint64_t{8} << 30;
bool graphs_allowed = true;
uint64_t graph_launches = 0;
uint64_t bytes_of_others = 0;
bool is_recording = false;
uint32_t starts_until_failure = 0;  // 0: none fails

/// As the driver: a recording is spoilt by it.
void check_not_recording(const char* what) {
  if (!is_recording) return;
  std::fprintf(stderr, "emulated device: %s while a graph is recorded\n", what);
  std::abort();
}

void copy(CUstream_st* stream, std::function<void()> work) {
  if (!stream->recording) return work();
  stream->recording->work.push_back({{}, std::move(work)});
}

}  // namespace

void allow_graphs(bool allow) {
  graphs_allowed = allow;
}
uint64_t num_graph_launches() {
  return graph_launches;
}

void others_take(uint64_t bytes) {
  bytes_of_others = bytes;
}
void fail_start(uint32_t after) {
  starts_until_failure = after;
}
bool next_start_fails() {
  return starts_until_failure > 0 && --starts_until_failure == 0;
}

void start(CUstream_st* stream, Launch launch) {
  if (!stream->recording) return run(launch.grid, launch.threads, launch.shared_bytes, launch.kernel);
  auto& work = stream->recording->work;
  if (work.empty() || work.back().copy) work.emplace_back();
  work.back().launches.push_back(std::move(launch));
}

}  // namespace gossamer::emulated

namespace gossamer::kernels::cuda {
namespace {

std::atomic<uint64_t> allocations{0}, allocated_bytes{0};

/// Of exactly that size, so that the address sanitizer sees who reads past it; full of NaN.
std::byte* allocate_poisoned(uint64_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes > 0 ? bytes : 1) != 0) return nullptr;
  std::memset(memory, 0xff, bytes);
  return static_cast<std::byte*>(memory);
}

}  // namespace

Result<std::vector<DeviceInfo>> list_devices() {
  return std::vector<DeviceInfo>{{0, "emulated", 80, 2, emulated::kDeviceBytes, 0}};
}
Result<DeviceFacts> facts_of(int /*device_index*/) {
  return DeviceFacts{13000, 13000, 1e9, 1e9, 512, 1 << 20};
}
Status use_device(int /*index*/) {
  return {};
}
Result<DeviceInfo> device_in_use() {
  DeviceInfo device = list_devices()->front();
  device.free_bytes = free_device_bytes();
  return device;
}

uint64_t free_device_bytes() {
  const uint64_t taken = allocated_bytes + emulated::bytes_of_others;
  return emulated::kDeviceBytes > taken ? emulated::kDeviceBytes - taken : 0;
}

bool has_warpgroups() {
  return true;
}
bool launches_overlap() {
  return true;
}

Result<DeviceMemory> DeviceMemory::allocate(uint64_t bytes) {
  emulated::check_not_recording("memory is taken");
  std::byte* pointer = bytes <= free_device_bytes() ? allocate_poisoned(bytes) : nullptr;
  if (!pointer)
    return make_error(ErrorCode::kIo, "the GPU has no {:.2f} GB of memory left", static_cast<double>(bytes) / 1e9);
  ++allocations;
  allocated_bytes += bytes;
  DeviceMemory memory;
  memory.memory_ = {pointer, Free{bytes}};
  return memory;
}
void DeviceMemory::Free::operator()(std::byte* memory) const {
  std::free(memory);
  allocated_bytes -= size_bytes;
}
uint64_t DeviceMemory::num_allocations() {
  return allocations;
}
uint64_t DeviceMemory::bytes_in_use() {
  return allocated_bytes;
}

Result<PinnedMemory> PinnedMemory::allocate(uint64_t bytes) {
  emulated::check_not_recording("memory is taken");
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
Status DeviceStream::use_device() const {
  return {};
}
void DeviceStream::Destroy::operator()(Stream stream) const {
  delete stream;
}
void DeviceStream::copy_to_device(void* to, const void* from, uint64_t bytes) const {
  emulated::copy(get(), [=, stream = get()] { stream->copies.to_device(to, from, bytes); });
}
void DeviceStream::copy_to_host(void* to, const void* from, uint64_t bytes) const {
  emulated::copy(get(), [=, stream = get()] { stream->copies.to_host(to, from, bytes); });
}
void DeviceStream::fill(void* to, uint8_t value, uint64_t bytes) const {
  if (bytes > 0) emulated::copy(get(), [=] { std::memset(to, value, bytes); });
}
Status DeviceStream::check_started() const {
  return emulated::next_start_fails() ? make_error(ErrorCode::kIo, "the GPU cannot start a kernel: emulated")
                                      : Status();
}
Status DeviceStream::synchronize() const {
  emulated::check_not_recording("somebody waits");
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

Result<DeviceGraph> DeviceGraph::record(const DeviceStream& stream, const std::function<void()>& work) {
  if (!emulated::graphs_allowed) return make_error(ErrorCode::kIo, "the GPU cannot make a graph: out of memory");
  DeviceGraph graph;
  graph.graph_.reset(new CUgraphExec_st);
  stream.get()->recording = graph.graph_.get();
  emulated::is_recording = true;
  work();
  emulated::is_recording = false;
  stream.get()->recording = nullptr;
  return graph;
}
void DeviceGraph::Destroy::operator()(CUgraphExec_st* graph) const {
  delete graph;
}
void DeviceGraph::launch(const DeviceStream& stream) const {
  emulated::check_not_recording("another graph is started");
  (void)stream;
  ++emulated::graph_launches;
  for (const CUgraphExec_st::Work& work : graph_->work) {
    if (work.copy) work.copy();
    emulated::run_overlapping(work.launches);
  }
}

void lower_flag(uint32_t* flag) {
  *flag = 0;
}

Status wait_for_flag(uint32_t* flag, const DeviceStream& stream) {
  GOS_TRY_STATUS(stream.check_started());
  if (emulated::take_flag(flag)) return {};
  return make_error(ErrorCode::kIo, "the GPU has ended its part of a layer and not asked the host for its own");
}

struct DeviceTimer::Events {
  std::chrono::steady_clock::time_point begin, end;
};
Result<DeviceTimer> DeviceTimer::create() {
  DeviceTimer timer;
  timer.events_.reset(new Events);
  return timer;
}
void DeviceTimer::Destroy::operator()(Events* events) const {
  delete events;
}
void DeviceTimer::start(const DeviceStream& /*stream*/) {
  events_->begin = std::chrono::steady_clock::now();
}
void DeviceTimer::stop(const DeviceStream& /*stream*/) {
  events_->end = std::chrono::steady_clock::now();
}
Result<double> DeviceTimer::microseconds() {
  return std::chrono::duration<double, std::micro>(events_->end - events_->begin).count();
}

}  // namespace gossamer::kernels::cuda
