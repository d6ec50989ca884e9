#pragma once
/// Whether the kernels compute on the device at hand what they should: `gossamer gpu selftest` runs these checks on a
/// GPU, the tests run them on the emulated device.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gossamer::kernels::cuda {

/// What a check of kernels found.
struct CheckOutcome {
  std::string name;
  bool passed;
  std::string detail;  ///< one sentence: what was compared, largest difference and what is allowed, or what is wrong
  double seconds;
};

struct CheckOptions {
  uint32_t seed = 1;
  bool quick = false;  ///< small shapes: for the emulated device
  std::string only;    ///< part of a name; empty: all
};

/// Which checks: a kernel that waits for what never comes, or reads where nothing is, ends all that follows, and those
/// of warpgroups are the likeliest to.
enum class CheckSet : uint8_t { kAll, kOfAnyCard, kOfWarpgroups };

/// The names of all checks, in order: those of warpgroups, where the device has any, are the last.
std::vector<std::string> check_names();

/// Runs the checks in order on the device in use, `told` (may be empty) after each. After a check that the device did
/// not survive the others fail with that word.
std::vector<CheckOutcome> run_checks(const CheckOptions& options, const std::function<void(const CheckOutcome&)>& told,
                                     CheckSet set = CheckSet::kAll);

}  // namespace gossamer::kernels::cuda
