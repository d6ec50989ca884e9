#include "simulator/machine.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace gossamer::simulator {
namespace {

/// Where the figures come from: docs/simulator.md. The CPU was measured; the GPUs are computed from bytes and FLOPs at
/// 80 % of the memory's and 40 % of the arithmetic's limit.
const Machine kMachines[] = {
    {"20b-cpu2", 0.030, 0.036, 8.0e-7, 1.3e-6, 0.42, 32, 4, 20'000},  // tokens measured, attention computed
    {"20b-h100", 1.1e-3, 1.8e-5, 9.4e-9, 5.0e-10, 4.3e-3, 32, 4, 60'000},
    {"120b-h100", 1.6e-3, 2.6e-5, 1.4e-8, 7.5e-10, 23.0e-3, 128, 4, 12'000},
};

}  // namespace

double Machine::step_seconds(const CostModel::Step& step) const {
  const double read = 1 - std::pow(1 - static_cast<double>(active) / experts, step.tokens);
  return fixed_seconds + token_seconds * step.tokens + kv_token_seconds * static_cast<double>(step.kv_tokens) +
         attended_seconds * static_cast<double>(step.attended_tokens) + experts_seconds * read;
}

Result<Machine> find_machine(const std::string& name) {
  for (const Machine& known : kMachines)
    if (known.name == name) return known;
  Machine machine;
  machine.name = name;
  double pages = 0;
  const char* at = name.data();
  const char* const end = at + name.size();
  double* const fields[] = {&machine.fixed_seconds,    &machine.token_seconds,   &machine.kv_token_seconds,
                            &machine.attended_seconds, &machine.experts_seconds, &pages};
  for (double* field : fields) {
    if (field != fields[0] && (at == end || *at++ != ',')) at = nullptr;
    if (!at) break;
    const auto [after, error] = std::from_chars(at, end, *field);
    at = error == std::errc() && *field >= 0 && *field < 1e9 ? after : nullptr;
    if (!at) break;
  }
  if (at != end || pages < 8 || pages > 1e8)
    return make_error(
        ErrorCode::kInvalidInput,
        "\"{}\" is no machine: 20b-cpu2, 20b-h100 and 120b-h100 are known, or give six numbers, "
        "FIXED,TOKEN,KV,ATTENTION,EXPERTS,PAGES (seconds of a step, of a token, of a position read by a row, of a "
        "position attended to by a token, of all experts; "
        "pages of the cache)",
        name);
  machine.num_pages = static_cast<uint32_t>(pages);
  return machine;
}

}  // namespace gossamer::simulator
