#pragma once

#include <cstdint>
#include <vector>

namespace gossamer::load {

/// Many values of one kind, latencies say, in little memory however many there are: they are counted in buckets a 128th
/// of their power of two wide, so a quantile is right to 0.4 %. Count, mean, least and largest are exact.
class Distribution {
 public:
  /// A negative value counts as 0.
  void add(double value);
  void add(const Distribution& other);

  uint64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  double min() const { return count_ == 0 ? 0 : min_; }
  double max() const { return max_; }
  /// The least value that at least `share` (0 to 1) of all values do not exceed (nearest rank); 0 where there are none.
  double quantile(double share) const;

 private:
  std::vector<uint64_t> buckets_;  // as many as the largest value needs
  uint64_t count_ = 0;
  double sum_ = 0, min_ = 0, max_ = 0;
};

}  // namespace gossamer::load
