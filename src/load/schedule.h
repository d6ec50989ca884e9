#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "load/load_plan.h"

namespace gossamer::load {

/// When requests are due, in seconds from the beginning of a run. Closed loop: whenever there is room. Open loop: at
/// the times of a Poisson process, which follow from the seed alone, whatever the server does.
class Schedule {
 public:
  explicit Schedule(const Pace& pace);

  /// Takes the next request if it is due at `now`; when it was due. Closed loop: now.
  std::optional<double> take(double now);
  /// When take() may give something next; in the closed loop that is at any time. Infinity: there is no other request.
  double next() const;

 private:
  void advance();

  const Pace pace_;
  std::mt19937_64 random_;
  uint64_t num_taken_ = 0;
  double arrival_ = 0;  // of the next request in the open loop
};

}  // namespace gossamer::load
