#pragma once
/// What host code needs of a GPU: memory, copies, a stream. No CUDA header is included here.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/cuda/step_ops.h"

struct CUgraphExec_st;
struct CUevent_st;

namespace gossamer::kernels::cuda {

/// A GPU of this machine.
struct DeviceInfo {
  int index = 0;
  std::string name;         ///< "NVIDIA H100 80GB HBM3"
  uint32_t capability = 0;  ///< 90: compute capability 9.0
  uint32_t num_processors = 0;
  uint64_t total_bytes = 0, free_bytes = 0;
};

/// All GPUs that are new enough (compute capability 8.0). None of them is touched: what is free of their memory is 0
/// here. Errors: no driver, no GPU, or none that is new enough; the sentence says which.
Result<std::vector<DeviceInfo>> list_devices();
/// Computes on this one from now on, on this thread and on every stream that is made on it. Errors: the program has no
/// code for it, or the driver gives it to nobody else.
Status use_device(int index);
/// The one that use_device() named last on this thread; what is free is as of now.
Result<DeviceInfo> device_in_use();

/// Of the device in use, for everybody.
uint64_t free_device_bytes();
/// Whether the device in use has the instructions of device_hopper.h, compute capability 9.0 and no other, and the
/// program code with them.
bool has_warpgroups();

/// Memory of the device that is in use. Never given to anybody else; freed with the object.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  /// Aligned to 256. Errors: there is not so much.
  static Result<DeviceMemory> allocate(uint64_t bytes);

  /// How often memory of devices was taken in this process: tests see with it that a step never does.
  static uint64_t num_allocations();
  /// What this process has of it now.
  static uint64_t bytes_in_use();

  std::byte* data() const { return memory_.get(); }
  uint64_t size_bytes() const { return memory_ ? memory_.get_deleter().size_bytes : 0; }
  template <class T>
  T* as(uint64_t offset_bytes = 0) const {
    return reinterpret_cast<T*>(memory_.get() + offset_bytes);
  }

 private:
  struct Free {
    Free() : size_bytes(0) {}
    explicit Free(uint64_t bytes) : size_bytes(bytes) {}
    uint64_t size_bytes;
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
};

/// Makes memory at least so large; what was in it is lost where it grows.
inline Status grow(DeviceMemory& memory, uint64_t bytes) {
  if (memory.size_bytes() >= bytes) return {};
  memory = DeviceMemory();  // first: both together may not fit
  GOS_TRY(memory, DeviceMemory::allocate(bytes));
  return {};
}

/// Cuts memory into pieces aligned to 256. Used twice with the same cuts: without memory it counts.
class DeviceCutter {
 public:
  explicit DeviceCutter(std::byte* memory) : memory_(memory) {}
  template <class T>
  void cut(T*& out, uint64_t count) {
    out = memory_ ? reinterpret_cast<T*>(memory_ + used_bytes_) : nullptr;
    used_bytes_ += (count * sizeof(T) + 255) / 256 * 256;
  }
  uint64_t used() const { return used_bytes_; }

 private:
  std::byte* memory_;
  uint64_t used_bytes_ = 0;
};

/// Memory of the host from which copies run beside everything else: it may be written again when they are done.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  static Result<PinnedMemory> allocate(uint64_t bytes);
  std::byte* data() const { return memory_.get(); }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> memory_;
  uint64_t size_bytes_ = 0;
};

/// Work of the device in order. Errors of anything in it come with the next synchronize().
class DeviceStream {
 public:
  static Result<DeviceStream> create();
  /// This thread computes on the stream's device from now on: each thread chooses for itself.
  Status use_device() const;
  Stream get() const { return stream_.get(); }

  void copy_to_device(void* to, const void* from, uint64_t bytes) const;
  void copy_to_host(void* to, const void* from, uint64_t bytes) const;
  void fill(void* to, uint8_t value, uint64_t bytes) const;
  /// Errors: something that this thread gave to a stream since the last such question was not begun. Waits for nothing.
  Status check_started() const;
  /// Waits until all of it is done.
  Status synchronize() const;

 private:
  struct Destroy {
    void operator()(Stream stream) const;
  };
  std::unique_ptr<CUstream_st, Destroy> stream_;
};

/// Work of a stream that was recorded once and is started as a whole, again and again: kernels with the pointers, sizes
/// and counts that they were given then. What they point at must stay where it is while the graph lives.
class DeviceGraph {
 public:
  DeviceGraph() = default;
  /// What `work` gives to the stream is recorded and not done. It starts kernels, copies and fills, and neither waits
  /// nor takes memory. Errors: the driver takes no such graph, no memory.
  static Result<DeviceGraph> record(const DeviceStream& stream, const std::function<void()>& work);
  /// Does it all, after what the stream was given before.
  void launch(const DeviceStream& stream) const;

 private:
  struct Destroy {
    void operator()(CUgraphExec_st* graph) const;
  };
  std::unique_ptr<CUgraphExec_st, Destroy> graph_;
};

/// A point of a stream's work that the host can wait for while the device goes on.
class DeviceEvent {
 public:
  static Result<DeviceEvent> create();
  /// From now on it is everything that the stream was given before.
  void record(const DeviceStream& stream) const;
  /// Waits until that is done. Errors: the device failed, there or before.
  Status synchronize() const;

 private:
  struct Destroy {
    void operator()(CUevent_st* event) const;
  };
  std::unique_ptr<CUevent_st, Destroy> event_;
};

/// Makes a flag in pinned memory zero, before the kernel that will raise it is started.
void lower_flag(uint32_t* flag);
/// Waits until a kernel of the stream has raised it (raise_flag() in device.h), looking at it all the time.
/// Errors: the device failed, or did all that it was given and raised none.
Status wait_for_flag(uint32_t* flag, const DeviceStream& stream);

/// Time between two points of a stream, as the device itself counts it.
class DeviceTimer {
 public:
  static Result<DeviceTimer> create();
  void start(const DeviceStream& stream);
  void stop(const DeviceStream& stream);
  /// Waits for both points. Errors: as DeviceStream::synchronize().
  Result<double> microseconds();

 private:
  struct Events;
  struct Destroy {
    void operator()(Events* events) const;
  };
  std::unique_ptr<Events, Destroy> events_;
};

}  // namespace gossamer::kernels::cuda
