#include "kernels/backend.h"

#include <fmt/ranges.h>

#include <cstdlib>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/isas.h"
#include "kernels/ref/ref_backend.h"

namespace gossamer::kernels {

std::string_view op_name(Op op) {
  static constexpr std::string_view kNames[kNumOps] = {"embed",     "rmsnorm", "matmul",  "rope",   "store_kv",
                                                       "attention", "router",  "experts", "unembed"};
  return kNames[static_cast<size_t>(op)];
}

std::string_view precision_name(Precision precision) {
  return precision == Precision::kF32 ? "f32" : precision == Precision::kExact ? "exact" : "default";
}

std::vector<std::string_view> available_backends() {
  std::vector<std::string_view> names;
  for (const IsaKernels* isa : available_isas()) names.push_back(isa->name);
  names.push_back("ref");
  return names;
}

Result<std::unique_ptr<Backend>> make_backend(std::string_view name, ThreadPool& threads, Precision precision) {
  const auto available = available_backends();
  std::string_view named_by = "--backend";
  if (name.empty()) {
    const char* forced = std::getenv("GOSSAMER_ISA");
    name = forced && *forced ? std::string_view(forced) : available.front();
    named_by = "GOSSAMER_ISA";
  }
  bool found = false;
  for (std::string_view candidate : available) found |= candidate == name;
  if (!found)
    return make_error(ErrorCode::kUnsupported,
                      "{} names the backend '{}', which this machine cannot run; it can run: {}", named_by, name,
                      fmt::join(available, ", "));
  for (const IsaKernels* isa : available_isas())
    if (name == isa->name) return std::unique_ptr<Backend>(new CpuBackend(*isa, threads, precision));
  return std::unique_ptr<Backend>(new RefBackend());
}

}  // namespace gossamer::kernels
