#include <fmt/format.h>

#include "base/cpu.h"
#include "cli/command.h"
#include "cli/output.h"
#include "kernels/backend.h"

namespace gossamer::cli {

Command version_command() {
  return {
      "version", "Print the version and what this machine offers", "  gossamer version", [](Options&) {
        return []() -> int {
          Output out;
          out.line(fmt::format("gossamer {}", GOSSAMER_VERSION));
          out.line(fmt::format("processor: {}, {} usable", cpu_name(), available_cpus()));
          out.line(fmt::format("backends: {} (the first is taken)", fmt::join(kernels::available_backends(), ", ")));
          return out.close();
        };
      }};
}

}  // namespace gossamer::cli
