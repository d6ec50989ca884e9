#include "load/distribution.h"

#include <algorithm>
#include <cmath>

namespace gossamer::load {
namespace {

constexpr int kSteps = 128;       // of a power of two
constexpr int kLeastPower = -13;  // smaller values share a bucket: 0.1 us where the unit is a millisecond
constexpr int kPowers = 64;

size_t bucket_of(double value) {
  int power = 0;
  const double fraction = std::frexp(value, &power);  // 0.5 to 1, times 2^power
  if (value <= 0 || power <= kLeastPower) return 0;
  if (power > kLeastPower + kPowers) return kPowers * kSteps;
  const auto step = static_cast<int>((fraction - 0.5) * 2 * kSteps);
  return 1 + static_cast<size_t>((power - kLeastPower - 1) * kSteps + step);
}

/// The middle of a bucket.
double value_of(size_t bucket) {
  if (bucket == 0) return 0;
  const size_t power = (bucket - 1) / kSteps, step = (bucket - 1) % kSteps;
  const double fraction = 0.5 + (static_cast<double>(step) + 0.5) / (2 * kSteps);
  return std::ldexp(fraction, static_cast<int>(power) + kLeastPower + 1);
}

}  // namespace

void Distribution::add(double value) {
  value = std::max(value, 0.0);
  const size_t bucket = bucket_of(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += value;
  ++count_;
}

void Distribution::add(const Distribution& other) {
  if (other.count_ == 0) return;
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  count_ += other.count_;
}

double Distribution::quantile(double share) const {
  if (count_ == 0) return 0;
  constexpr double kRounding = 1e-9;  // 0.07 * 100 is more than 7
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_) * (1 - kRounding));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  if (rank == 1) return min_;
  if (rank == count_) return max_;
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::clamp(value_of(i), min_, max_);
  }
  return max_;
}

}  // namespace gossamer::load
