#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gossamer::server {

/// Counts values by size, for Prometheus. Any thread may observe.
class Histogram {
 public:
  static constexpr size_t kMostBuckets = 20;

  /// `bounds`: upper ends, ascending, at most kMostBuckets; they outlive the histogram.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {}

  void observe(double value) {
    size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  /// Its lines of the text format: NAME_bucket{LABELS,le="..."}, NAME_sum, NAME_count. `labels`: without braces.
  void append(std::string_view name, std::string_view labels, std::string& out) const;

 private:
  std::span<const double> bounds_;
  std::array<std::atomic<uint64_t>, kMostBuckets + 1> counts_{};
  std::atomic<double> sum_{0};
};

}  // namespace gossamer::server
