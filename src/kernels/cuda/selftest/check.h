#pragma once
/// What the checks of this folder are written with.

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/cuda/runtime.h"
#include "kernels/cuda/selftest/checks.h"

namespace gossamer::kernels::cuda {

/// One check while it runs: its memory on the device, and what was compared so far. Whatever goes wrong makes the check
/// fail and nothing else; the first of it is told.
class Check {
 public:
  Check(const CheckOptions& options, const DeviceStream& stream, ThreadPool& threads)
      : quick_(options.quick), rng_(options.seed), stream_(stream), threads_(threads) {}

  bool quick() const { return quick_; }
  std::mt19937& rng() { return rng_; }
  Stream stream() const { return stream_.get(); }
  const DeviceStream& device_stream() const { return stream_; }
  ThreadPool& threads() { return threads_; }

  /// Memory full of NaN, until the check ends or calls free_memory(). Behind it stands a guard where it does not hide
  /// reads beyond the end from the address sanitizer; outcome() fails where a kernel wrote there.
  template <class T>
  T* make(size_t count) {
    return reinterpret_cast<T*>(make_bytes(count * sizeof(T)));
  }
  template <class T>
  T* upload(std::span<const T> values) {
    T* memory = make<T>(values.size());
    if (memory) stream_.copy_to_device(memory, values.data(), values.size_bytes());
    return memory;
  }
  template <class T>
  T* upload(const std::vector<T>& values) {
    return upload(std::span<const T>(values));
  }
  /// Waits for everything before it.
  template <class T>
  std::vector<T> download(const T* from, size_t count) {
    std::vector<T> values(count);
    std::memset(static_cast<void*>(values.data()), 0xff, count * sizeof(T));
    download_bytes(values.data(), from, count * sizeof(T));
    return values;
  }
  /// Looks at the guards and gives all memory back.
  void free_memory();

  /// `got` is at most `allowed` away from `want`. `where` gives words for it: "row 3 of token 7".
  template <class Where>
  void near(double got, double want, double allowed, Where&& where) {
    ++num_compared_;
    const double difference = std::fabs(got - want);
    const double share = difference <= allowed ? (allowed > 0 ? difference / allowed : 0)
                                               : std::numeric_limits<double>::infinity();  // NaN too
    num_wrong_ += !(share <= 1);
    if (share <= worst_share_) return;  // of wrong ones the first stays
    worst_share_ = share;
    worst_ = {got, want, allowed, where()};
  }
  /// The bytes are equal. `where` is given the index of the first number that differs.
  template <class T, class Where>
  void same_bits(std::span<const T> got, std::span<const T> want, Where&& where) {
    num_same_ += want.size();
    if (got.size() == want.size() && std::memcmp(got.data(), want.data(), want.size_bytes()) == 0) return;
    size_t i = 0;
    while (i < got.size() && i < want.size() && std::memcmp(&got[i], &want[i], sizeof(T)) == 0) ++i;
    wrong("not the same bits: " + where(i));
  }
  /// `words` gives the sentence of what is wrong where it does not hold.
  template <class Words>
  void expect(bool holds, Words&& words) {
    ++num_facts_;
    if (!holds) wrong(words());
  }
  void wrong(std::string sentence);
  /// Something to be told where the check passes: a measured figure.
  void note(std::string text) { notes_.push_back(std::move(text)); }

  /// What it came to; name and seconds are the caller's.
  CheckOutcome outcome();
  /// The device failed: nothing after this says anything.
  bool device_failed() const { return device_failed_; }

 private:
  static constexpr uint64_t kGuardBytes = 256;

  std::byte* make_bytes(uint64_t bytes);
  void download_bytes(void* to, const void* from, uint64_t bytes);

  struct Piece {
    DeviceMemory memory;
    uint64_t bytes;  // without the guard
  };
  struct Comparison {
    double got, want, allowed;
    std::string where;
  };

  bool quick_;
  std::mt19937 rng_;
  const DeviceStream& stream_;
  ThreadPool& threads_;
  std::vector<Piece> memory_;
  uint64_t num_compared_ = 0, num_wrong_ = 0, num_same_ = 0, num_facts_ = 0;
  double worst_share_ = -1;
  Comparison worst_{};
  std::vector<std::string> notes_;
  std::string first_wrong_;
  bool device_failed_ = false;
};

/// A check with its name: "products, BF16".
struct NamedCheck {
  std::string name;
  std::function<void(Check&)> run;
};
std::vector<NamedCheck> arithmetic_checks();
std::vector<NamedCheck> product_checks();
/// None where the device has no warpgroups' instructions.
std::vector<NamedCheck> warpgroup_checks();
std::vector<NamedCheck> router_checks();
std::vector<NamedCheck> expert_checks();
std::vector<NamedCheck> elementwise_checks();
std::vector<NamedCheck> attention_checks();
std::vector<NamedCheck> choice_checks();
std::vector<NamedCheck> host_checks();

/// Numbers of a normal distribution.
std::vector<float> random_floats(size_t count, std::mt19937& rng, float scale = 1);

}  // namespace gossamer::kernels::cuda
