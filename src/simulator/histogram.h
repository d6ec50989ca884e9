#pragma once

#include <cmath>
#include <cstdint>
#include <map>

#include "engine/throughput.h"

namespace gossamer::simulator {

/// Any number of positive values in a little memory: counted in steps of two per cent.
class Histogram {
 public:
  void add(double value) {
    ++counts_[value > 0 ? static_cast<int>(std::floor(std::log(value) / kStep)) : kZero];
    ++total_;
  }
  Percentiles percentiles() const { return {at(0.50), at(0.90), at(0.99)}; }

 private:
  static constexpr double kStep = 0.02;
  static constexpr int kZero = -1'000'000;

  double at(double share) const {
    uint64_t seen = 0;
    for (const auto& [step, count] : counts_) {
      seen += count;
      if (static_cast<double>(seen) >= share * static_cast<double>(total_))
        return step == kZero ? 0 : std::exp((step + 0.5) * kStep);
    }
    return 0;
  }
  std::map<int, uint64_t> counts_;
  uint64_t total_ = 0;
};

}  // namespace gossamer::simulator
