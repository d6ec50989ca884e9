#include "load/schedule.h"

#include <cmath>
#include <limits>

namespace gossamer::load {

Schedule::Schedule(const Pace& pace) : pace_(pace), random_(pace.seed) {
  advance();
}

std::optional<double> Schedule::take(double now) {
  if (next() > now) return std::nullopt;
  const bool late = pace_.rate <= 0 && pace_.duration_seconds > 0 && now >= pace_.duration_seconds;
  if (late) return std::nullopt;
  const double due = pace_.rate > 0 ? arrival_ : now;
  ++num_taken_;
  advance();
  return due;
}

double Schedule::next() const {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  if (pace_.requests > 0 && num_taken_ >= pace_.requests) return kNever;
  if (pace_.duration_seconds > 0 && arrival_ >= pace_.duration_seconds) return kNever;
  return arrival_;
}

/// To the next arrival: gaps are exponential. Written out, since the distributions of the library differ.
void Schedule::advance() {
  if (pace_.rate <= 0) return;
  constexpr double kUnit = 0x1p-53;
  const double uniform = static_cast<double>(random_() >> 11) * kUnit;  // 0 to 1, without 1
  arrival_ += -std::log1p(-uniform) / pace_.rate;
}

}  // namespace gossamer::load
