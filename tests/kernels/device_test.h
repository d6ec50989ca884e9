#pragma once
/// Kernels of kernels/cuda on the device there is: a GPU where the program was built for one, else the emulated one.

#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace gossamer::testing {

class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto devices = kernels::cuda::list_devices();
    if (!devices.ok()) GTEST_SKIP() << devices.error().message;
    auto made = kernels::cuda::DeviceStream::create();
    ASSERT_TRUE(made.ok()) << made.error().message;
    stream_ = std::move(*made);
  }
  void TearDown() override { forget(); }
  /// Gives all memory back.
  void forget() { memory_.clear(); }

  /// Device memory with these numbers in it, until the test ends.
  template <class T>
  T* upload(std::span<const T> values) {
    T* memory = make<T>(values.size());
    stream_.copy_to_device(memory, values.data(), values.size_bytes());
    return memory;
  }
  template <class T>
  T* upload(const std::vector<T>& values) {
    return upload(std::span<const T>(values));
  }
  /// With nonsense in it.
  template <class T>
  T* make(size_t count) {
    auto allocated = kernels::cuda::DeviceMemory::allocate(count * sizeof(T));
    EXPECT_TRUE(allocated.ok());
    stream_.fill(allocated->data(), 0xff, count * sizeof(T));
    return reinterpret_cast<T*>(memory_.emplace_back(std::move(*allocated)).data());
  }
  template <class T>
  std::vector<T> download(const T* from, size_t count) {
    std::vector<T> values(count);
    stream_.copy_to_host(values.data(), from, count * sizeof(T));
    const Status done = stream_.synchronize();
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
    return values;
  }

  kernels::cuda::DeviceStream stream_;

 private:
  std::vector<kernels::cuda::DeviceMemory> memory_;
};

}  // namespace gossamer::testing
