#include "tools/python_process.h"

#include <linux/limits.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

namespace gossamer::tools {
namespace {

constexpr size_t kMarkBytes = 16;
constexpr uint64_t kMostCutBytes = 256 << 20;  // who prints more without end is not waited for
constexpr double kEndSeconds = 2;              // until the system has taken back an interpreter's memory

/// Reads pieces of code from what was its stdin, a line with the length before each, and writes a mark behind the
/// output of each. The value of a last expression is shown, as notebooks do.
constexpr char kDriver[] = R"PY(
import ast, linecache, os, sys, traceback

orders = os.fdopen(os.dup(0), "rb")
nothing = os.open("/dev/null", os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
mark = sys.argv[1].encode()
sys.argv = [""]
scope = {"__name__": "__main__", "__builtins__": __builtins__}


def run(code, name):
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    try:
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), scope)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), scope)
            if value is not None:
                print(repr(value))
    except SystemExit as leave:
        return not leave.code
    except BaseException as error:
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace.tb_next if trace else None, file=sys.__stdout__)
        return False
    return True


number = 0
while True:
    line = orders.readline()
    if not line:
        break
    number += 1
    good = run(orders.read(int(line)).decode("utf-8", "replace"), "<cell %d>" % number)
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        try:
            stream.flush()
        except Exception:
            pass
    os.write(1, b"\0" + mark + (b"+" if good else b"-") + b"\n")
)PY";

std::string random_hex() {
  unsigned char bytes[kMarkBytes] = {};
  (void)!getrandom(bytes, sizeof bytes, 0);
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string beside_this_program() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  if (size <= 0) return {};
  std::string program(path, static_cast<size_t>(size));
  return program.substr(0, program.rfind('/')) + "/gossamer-sandbox";
}

}  // namespace

Result<PythonProcess> PythonProcess::start(const PythonOptions& options, Clock::time_point deadline,
                                           const Cancellation& cancelled) {
  std::string mark = random_hex();
  ChildOptions child;
  child.command = {options.launcher.empty() ? beside_this_program() : options.launcher,
                   std::to_string(options.memory_bytes),
                   std::to_string(options.file_bytes),
                   std::to_string(options.threads),
                   std::to_string(options.cpu_seconds),
                   options.interpreter,
                   "-I",
                   "-B",
                   "-u",
                   "-c",
                   kDriver,
                   mark};
  child.merges_errors = child.reports = true;
  GOS_TRY(ChildProcess process, ChildProcess::start(child));
  const std::string missing = process.report(deadline, cancelled);
  if (!missing.empty()) return make_error(ErrorCode::kUnsupported, "{}", missing);
  return PythonProcess(std::move(process), std::string(1, '\0') + mark);
}

PythonProcess::Outcome PythonProcess::run(std::string_view code, size_t most_output_bytes, Clock::time_point deadline,
                                          const Cancellation& cancelled) {
  Outcome outcome;
  const auto died = [&](Outcome::End end) {
    const ChildProcess::Ending ending = process_.end_asked(kEndSeconds);
    outcome.exit_code = ending.exit_code;
    outcome.cpu_seconds = ending.cpu_seconds;
    outcome.end = end;
  };
  const bool sent = process_.write(fmt::format("{}\n", code.size()), deadline, cancelled) &&
                    process_.write(code, deadline, cancelled);
  std::string tail;  // what was read and is not known to be output yet
  // A process that no longer reads may still have said why.
  for (;;) {
    if (const size_t mark = tail.find(mark_); mark != std::string::npos && tail.size() >= mark + mark_.size() + 2) {
      outcome.end = tail[mark + mark_.size()] == '+' ? Outcome::End::kDone : Outcome::End::kException;
      tail.resize(mark);
      break;
    }
    const size_t settled = tail.size() - std::min(tail.size(), mark_.size() + 2);
    const size_t kept = std::min(settled, most_output_bytes - outcome.output.size());
    outcome.output.append(tail, 0, kept);
    outcome.cut_bytes += settled - kept;
    tail.erase(0, settled);
    if (outcome.cut_bytes > kMostCutBytes) {
      died(Outcome::End::kDeadline);
      break;
    }
    const ChildProcess::ReadEnd end = process_.read(tail, deadline, cancelled);
    if (end == ChildProcess::ReadEnd::kBytes) continue;
    if (end == ChildProcess::ReadEnd::kCancelled)
      died(Outcome::End::kCancelled);
    else
      died(end == ChildProcess::ReadEnd::kEnd || !sent ? Outcome::End::kDied : Outcome::End::kDeadline);
    break;
  }
  const size_t kept = std::min(tail.size(), most_output_bytes - outcome.output.size());
  outcome.output.append(tail, 0, kept);
  outcome.cut_bytes += tail.size() - kept;
  return outcome;
}

}  // namespace gossamer::tools
