#include <fmt/format.h>

#include "base/cpu_features.h"
#include "cli/command.h"
#include "cli/output.h"

namespace gossamer::cli {

Command version_command() {
  return {"version", "Print the version and what this machine offers", "  gossamer version", [](Options&) {
            return []() -> int {
              const CpuFeatures& cpu = cpu_features();
              Output out;
              out.line(fmt::format("gossamer {}", GOSSAMER_VERSION));
              out.line(fmt::format("processor: {} ({}), {} usable", cpu_name(), cpu.avx512 ? "AVX-512" : cpu.avx2 ? "AVX2" : "no AVX2",
                                   available_cpus()));
              return out.close();
            };
          }};
}

}  // namespace gossamer::cli
