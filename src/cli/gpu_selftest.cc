#include "cli/gpu_selftest.h"

#include <fmt/format.h>

#include "cli/gpu_model_check.h"

namespace gossamer::cli {
namespace {

using kernels::cuda::CheckOutcome;

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

}  // namespace

Result<GpuPart> gpu_selftest(const kernels::cuda::CheckOptions& options, std::FILE* out) {
  std::vector<CheckOutcome> outcomes = run_checks(options, [&](const CheckOutcome& outcome) { print(out, outcome); });
  for (CheckOutcome& outcome : check_models(options, [&](const CheckOutcome& one) { print(out, one); }))
    outcomes.push_back(std::move(outcome));
  if (outcomes.empty())
    return make_error(ErrorCode::kNotFound, "no check has '{}' in its name; they are: {}", options.only,
                      fmt::join(kernels::cuda::check_names(), "; "));
  GpuPart part;
  json::array results;
  size_t num_failed = 0;
  double seconds = 0;
  for (const CheckOutcome& outcome : outcomes) {
    num_failed += !outcome.passed;
    seconds += outcome.seconds;
    results.push_back(json::object{
        {"name", outcome.name}, {"passed", outcome.passed}, {"detail", outcome.detail}, {"seconds", outcome.seconds}});
  }
  if (num_failed == 0)
    fmt::print(out, "{0} of {0} checks passed in {1:.1f} s\n", outcomes.size(), seconds);
  else
    fmt::print(out, "{} of {} checks FAILED\n", num_failed, outcomes.size());
  part.ok = num_failed == 0;
  part.json = {{"checks", outcomes.size()}, {"failed", num_failed},   {"seconds", seconds},
               {"seed", options.seed},      {"quick", options.quick}, {"results", std::move(results)}};
  return Result<GpuPart>(std::move(part));
}

}  // namespace gossamer::cli
