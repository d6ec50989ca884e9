#include "tools/python_tool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "tools/interpreter_places.h"

namespace gossamer::tools {
namespace {

constexpr double kStartSeconds = 20;  // a cold disk, a busy machine

Clock::time_point sooner(Clock::time_point deadline, double seconds) {
  return std::min(deadline,
                  Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
}

/// Models write the code itself; some wrap it as they do for functions.
std::string code_of(std::string_view arguments) {
  const Result<json::value> value = parse_json(arguments, "the arguments");
  const json::value* code = value.ok() ? find_member(*value, "code") : nullptr;
  if (code && code->is_string() && value->get_object().size() == 1) return std::string(code->get_string());
  return std::string(arguments);
}

class PythonSession final : public ToolSession {
 public:
  PythonSession(const PythonOptions& options, std::shared_ptr<InterpreterPlaces> places)
      : options_(options), places_(std::move(places)) {}

  ToolResult call(std::string_view, std::string_view arguments, const CallLimits& limits,
                  const Cancellation& cancelled) override {
    const bool is_new = !process_.has_value();
    if (is_new)
      if (const Status begun = begin(limits, cancelled); !begun.ok())
        return {fmt::format("Python cannot be run: {}.", begun.error().message), true, {}};
    PythonProcess::Outcome outcome = process_->run(code_of(arguments), limits.output_bytes,
                                                   sooner(limits.deadline, options_.call_seconds), cancelled);
    ToolResult result = told(outcome);
    if (is_new && lost_variables_) result.text += "\n(Python was started anew: earlier variables and files are gone.)";
    const bool has_ended =
        outcome.end != PythonProcess::Outcome::End::kDone && outcome.end != PythonProcess::Outcome::End::kException;
    if (has_ended) end(outcome.cpu_seconds);
    lost_variables_ = has_ended;
    return result;
  }

 private:
  /// Errors: the answer's processor time is used up, no place came free, the machine refuses.
  Status begin(const CallLimits& limits, const Cancellation& cancelled) {
    PythonOptions options = options_;
    options.cpu_seconds = left_cpu_seconds();
    if (options.cpu_seconds == 0)
      return make_error(ErrorCode::kUnsupported, "the {} seconds of processor time that an answer may take are used up",
                        options_.cpu_seconds);
    GOS_TRY(InterpreterPlaces::Place place, places_->take(sooner(limits.deadline, options_.call_seconds), cancelled));
    GOS_TRY(PythonProcess process, PythonProcess::start(options, sooner(limits.deadline, kStartSeconds), cancelled));
    place_.emplace(std::move(place));
    process_.emplace(std::move(process));
    return {};
  }

  void end(double cpu_seconds) {
    used_cpu_seconds_ += cpu_seconds;
    process_.reset();
    place_.reset();
  }

  /// Whole ones: the system counts no others.
  uint64_t left_cpu_seconds() const {
    const double left = static_cast<double>(options_.cpu_seconds) - used_cpu_seconds_;
    return left > 0 ? static_cast<uint64_t>(left) : 0;
  }

  ToolResult told(const PythonProcess::Outcome& outcome) const {
    using End = PythonProcess::Outcome::End;
    ToolResult result{utf8_lossy(outcome.output), outcome.end != End::kDone, {}};
    if (outcome.cut_bytes > 0) result.text += fmt::format("\n({} bytes more of output were cut.)", outcome.cut_bytes);
    if (outcome.end == End::kDeadline)
      result.text +=
          fmt::format("\nThe code was ended: it may take {:g} seconds, and print so much only.", options_.call_seconds);
    if (outcome.end == End::kCancelled) result.text += "\nThe code was ended: nobody waits for it any more.";
    if (outcome.end == End::kDied)
      result.text += fmt::format(
          "\nThe interpreter ended (exit code {}): out of memory, out of processor time, or the "
          "code ended it.",
          outcome.exit_code);
    if (result.text.empty()) result.text = "(The code ran and printed nothing.)";
    return result;
  }

  const PythonOptions options_;
  const std::shared_ptr<InterpreterPlaces> places_;
  std::optional<InterpreterPlaces::Place> place_;  // outlives the process that it is for
  std::optional<PythonProcess> process_;
  double used_cpu_seconds_ = 0;  // by interpreters that have ended
  bool lost_variables_ = false;
};

class PythonTool final : public Tool {
 public:
  explicit PythonTool(PythonOptions options)
      : options_(std::move(options)),
        places_(std::make_shared<InterpreterPlaces>(options_.most_interpreters, options_.most_waiting)),
        description_(harmony::ToolNamespace::python()) {}

  Kind kind() const override { return Kind::kPython; }
  const harmony::ToolNamespace& description() const override { return description_; }
  std::unique_ptr<ToolSession> begin() const override { return std::make_unique<PythonSession>(options_, places_); }

 private:
  const PythonOptions options_;
  const std::shared_ptr<InterpreterPlaces> places_;
  const harmony::ToolNamespace description_;
};

}  // namespace

Result<std::shared_ptr<Tool>> make_python_tool(const PythonOptions& options) {
  const Cancellation never;
  const auto deadline = sooner(Clock::time_point::max(), kStartSeconds);
  const auto refusal = [](const std::string& why) {
    return make_error(ErrorCode::kUnsupported,
                      "the python tool cannot be isolated on this machine and is not started: {}", why);
  };
  Result<PythonProcess> trial = PythonProcess::start(options, deadline, never);
  if (!trial.ok()) return refusal(trial.error().message);
  const PythonProcess::Outcome outcome = trial->run("6 * 7", 1000, deadline, never);
  if (outcome.end != PythonProcess::Outcome::End::kDone || outcome.output != "42\n")
    return refusal(fmt::format("{} in {} gives \"{}\" for 6 * 7 (exit code {})", options.interpreter,
                               options.launcher.empty() ? "gossamer-sandbox" : options.launcher,
                               utf8_lossy(outcome.output), outcome.exit_code));
  return std::shared_ptr<Tool>(std::make_shared<PythonTool>(options));
}

}  // namespace gossamer::tools
