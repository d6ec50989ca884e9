#include "cli/gpu_selftest.h"

#include <fmt/format.h>

#include "cli/gpu_model_check.h"
#include "kernels/cuda/runtime.h"

namespace gossamer::cli {
namespace {

using kernels::cuda::CheckOptions;
using kernels::cuda::CheckOutcome;
using kernels::cuda::CheckSet;

constexpr size_t kNameColumns = 58, kDetailColumns = 100;

/// Words in lines of at most kDetailColumns, all but the first indented.
std::string wrapped(const std::string& text, size_t indent) {
  std::string out;
  size_t column = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (column > 0 && column + 1 + end - begin > kDetailColumns) {
      out += '\n' + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out;
}

void print(std::FILE* out, const CheckOutcome& outcome) {
  fmt::print(out, "{:<{}}{:>7.2f} s  {}  {}\n", outcome.name, kNameColumns, outcome.seconds,
             outcome.passed ? "passed" : "FAILED", wrapped(outcome.detail, kNameColumns + 19));
  std::fflush(out);  // the next one may take the device down
}

/// What checks came to.
class Tally {
 public:
  explicit Tally(const CheckOptions& options) : options_(options) {}

  void add(const CheckOutcome& outcome) {
    num_failed_ += !outcome.passed;
    seconds_ += outcome.seconds;
    results_.push_back(json::object{
        {"name", outcome.name}, {"passed", outcome.passed}, {"detail", outcome.detail}, {"seconds", outcome.seconds}});
  }
  size_t num_checks() const { return results_.size(); }
  size_t num_failed() const { return num_failed_; }
  std::string text() const {
    if (num_failed_ == 0) return fmt::format("{0} of {0} checks passed in {1:.1f} s", num_checks(), seconds_);
    return fmt::format("{} of {} checks FAILED", num_failed_, num_checks());
  }
  json::object to_json() const {
    return {{"checks", num_checks()}, {"failed", num_failed_},   {"seconds", seconds_},
            {"seed", options_.seed},  {"quick", options_.quick}, {"results", results_}};
  }

 private:
  CheckOptions options_;
  json::array results_;
  size_t num_failed_ = 0;
  double seconds_ = 0;
};

}  // namespace

Result<GpuPart> gpu_selftest(const kernels::cuda::CheckOptions& options, std::FILE* out,
                             const std::function<void(json::object)>& keep) {
  Tally tally(options);
  const auto told = [&](const CheckOutcome& outcome) {
    print(out, outcome);
    tally.add(outcome);
    if (!keep) return;
    json::object so_far = tally.to_json();
    so_far["unfinished"] = outcome.name;
    keep(std::move(so_far));
  };
  run_checks(options, told, CheckSet::kOfAnyCard);
  check_models(options, told);
  run_checks(options, told, CheckSet::kOfWarpgroups);
  if (kernels::cuda::has_warpgroups()) check_models(options, told, DeviceSums::kHopper);
  if (tally.num_checks() == 0)
    return make_error(ErrorCode::kNotFound, "no check has '{}' in its name; they are: {}", options.only,
                      fmt::join(kernels::cuda::check_names(), "; "));
  fmt::print(out, "{}\n", tally.text());
  return Result<GpuPart>(GpuPart{tally.to_json(), tally.num_failed() == 0});
}

}  // namespace gossamer::cli
