#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "base/cpu.h"
#include "base/cpu_topology.h"
#include "base/free_memory.h"
#include "base/json.h"
#include "checkpoint/summary.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "kernels/backend.h"

namespace gossamer::cli {
namespace {

struct VersionOptions {
  bool verbose = false, json = false;
};

/// The choice of "always [madvise] never" that is in brackets; "unknown" where the system does not say.
std::string transparent_huge_pages() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string text;
  std::getline(file, text);
  const size_t begin = text.find('['), end = text.find(']');
  return begin < end && end != std::string::npos ? text.substr(begin + 1, end - begin - 1) : "unknown";
}

void print(const kernels::Backend& taken, bool verbose, Output& out) {
  out.line(fmt::format("gossamer {}", GOSSAMER_VERSION));
  out.line(fmt::format("processor: {}, {} usable", cpu_name(), available_cpus()));
  out.line(fmt::format("backends: {} ({} is taken)", fmt::join(kernels::available_backends(), ", "), taken.name()));
  if (!verbose) return;
  if (const char* forced = std::getenv("GOSSAMER_ISA"); forced && *forced)
    out.line(fmt::format("GOSSAMER_ISA: {} is taken because it says so", forced));
  out.line(fmt::format("KV cache layout: {}", taken.kv_layout_id()));
  out.line(fmt::format("packed weights: {}", taken.packed_layout_id().empty() ? "none" : taken.packed_layout_id()));
  out.line(fmt::format("memory and cores: {}", CpuTopology::of_this_machine().describe()));
  out.line(fmt::format("free memory: {}", bytes_text(free_memory_bytes())));
  out.line(fmt::format("huge pages: {}", transparent_huge_pages()));
  out.line(fmt::format("compiler: {}", GOSSAMER_COMPILER));
}

json::object to_json(const kernels::Backend& taken) {
  json::array backends;
  for (const std::string_view name : kernels::available_backends()) backends.emplace_back(name);
  return {{"version", GOSSAMER_VERSION},
          {"processor", cpu_name()},
          {"usable_processors", available_cpus()},
          {"cores", CpuTopology::of_this_machine().num_cores()},
          {"memory_nodes", CpuTopology::of_this_machine().num_nodes()},
          {"backends", std::move(backends)},
          {"backend", taken.name()},
          {"kv_layout", taken.kv_layout_id()},
          {"packed_layout", taken.packed_layout_id()},
          {"free_memory_bytes", free_memory_bytes()},
          {"huge_pages", transparent_huge_pages()},
          {"compiler", GOSSAMER_COMPILER}};
}

int version(const VersionOptions& options) {
  ThreadPool threads(1);
  const auto taken = kernels::make_backend("", threads);
  if (!taken.ok()) return fail(taken.error());
  Output out;
  if (options.json)
    out.line(json::serialize(to_json(**taken)));
  else
    print(**taken, options.verbose, out);
  return out.close();
}

}  // namespace

Command version_command() {
  return {"version", "Print the version and what this machine offers", "  gossamer version --verbose",
          [](Options& options) {
            auto chosen = std::make_shared<VersionOptions>();
            options.flag("-v,--verbose", chosen->verbose,
                         "Also cores and memory nodes, memory layouts, free memory, huge pages and compiler");
            options.flag("--json", chosen->json, "Print all of it as one JSON object");
            return [chosen] { return version(*chosen); };
          }};
}

}  // namespace gossamer::cli
