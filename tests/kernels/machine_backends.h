#pragma once
/// The backends that can be run here for comparison: those of this machine, and the kernels of AMX on tiles in plain
/// loops where the machine has what else they need.

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "support/emulated_amx.h"

namespace gossamer::testing {

/// Whether the kernels of AMX can be run here on tiles in plain loops.
inline bool can_emulate_amx() {
  const auto names = kernels::available_backends();
  return std::find(names.begin(), names.end(), "avx512bf16") != names.end();
}

/// Null where this machine cannot run it. `threads` outlives the backend.
inline std::unique_ptr<kernels::Backend> backend_of_this_machine(std::string_view name, ThreadPool& threads,
                                                                 kernels::Precision precision) {
  auto made = kernels::make_backend(name, threads, precision);
  if (made.ok()) return std::move(made).value();
  if (name != "amx" || !can_emulate_amx()) return nullptr;
  return std::make_unique<kernels::CpuBackend>(*emulated_amx_kernels(), threads, precision);
}

/// All but ref.
inline std::vector<std::unique_ptr<kernels::Backend>> fast_backends(ThreadPool& threads, kernels::Precision precision) {
  std::vector<std::unique_ptr<kernels::Backend>> backends;
  for (const std::string_view name : {"avx2", "avx512", "avx512bf16", "amx"})
    if (auto backend = backend_of_this_machine(name, threads, precision)) backends.push_back(std::move(backend));
  return backends;
}

}  // namespace gossamer::testing
