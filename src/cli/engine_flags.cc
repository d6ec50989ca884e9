#include "cli/engine_flags.h"

#include <cctype>
#include <cmath>
#include <regex>

namespace gossamer::cli {

void EngineFlags::declare(Options& options) {
  options.choice("--kv-dtype", kv_dtype, {"f32", "bf16", "int8"},
                 "Keys and values in the cache (default: bf16; f32 with --precision f32)");
  options.text("--kv-memory", kv_memory, "Memory for the KV cache (default: what a few long conversations need)",
               "SIZE");
  options.count("--tpot-goal", tpot_goal_ms,
                "Milliseconds that a step may take while answers are written; sets how much of a prompt it computes "
                "(default: 1.7 times a step without prompts, p99 beside p99)");
}

Result<EngineOptions> EngineFlags::resolve(kernels::Precision precision) const {
  EngineOptions options;
  if (precision == kernels::Precision::kF32) options.kv_dtype = kernels::KvDtype::kF32;
  if (!kv_dtype.empty()) options.kv_dtype = *kernels::parse_kv_dtype(kv_dtype);
  options.tpot_goal_seconds = tpot_goal_ms / 1e3;
  if (!kv_memory.empty()) {
    GOS_TRY(options.kv_bytes, parse_bytes(kv_memory));
  }
  return options;
}

Result<uint64_t> parse_bytes(const std::string& text) {
  static const std::regex pattern(R"(\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)(b?)\s*)", std::regex::icase);
  std::smatch match;
  if (!std::regex_match(text, match, pattern))
    return make_error(ErrorCode::kInvalidInput, "\"{}\" is not a size; write 512MB, 2GiB or 1.5g", text);
  const std::string units = "kmgt";
  const auto power = match[2].length() ? units.find(static_cast<char>(std::tolower(match[2].str()[0]))) + 1 : 0;
  const bool decimal = match[3].length() == 0 && match[4].length() != 0;
  const double bytes = std::stod(match[1]) * std::pow(decimal ? 1000.0 : 1024.0, static_cast<double>(power));
  if (bytes < 1)
    return make_error(ErrorCode::kInvalidInput, "\"{}\" is no memory at all; write 512MB, 2GiB or 1.5g", text);
  if (!(bytes < 1e18))
    return make_error(ErrorCode::kInvalidInput, "\"{}\" is more memory than there is anywhere", text);
  return static_cast<uint64_t>(bytes);
}

}  // namespace gossamer::cli
