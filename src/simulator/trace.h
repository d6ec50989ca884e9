#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer::simulator {

/// One request of a recorded or made-up day.
struct TraceRequest {
  double arrival_seconds = 0;  ///< since the first one
  uint32_t input_tokens = 0, output_tokens = 0;
  uint64_t tenant = 0;
  /// Names of the blocks of kTraceBlockTokens that prompt and answer are cut into: equal names are equal text. Where
  /// they end, the text is like no other.
  std::vector<uint64_t> blocks;
};
inline constexpr uint32_t kTraceBlockTokens = 512;

/// Reads the public formats, told apart by their first line:
///   BurstGPT    Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type      (seconds; a later version
///   has
///               a Session ID, which is taken for the tenant)
///   Azure LLM   TIMESTAMP,ContextTokens,GeneratedTokens                                   (date and time)
///   Mooncake    {"timestamp": ms, "input_length", "output_length", "hash_ids": [...]} a line, blocks of 512 tokens
/// Sorted by arrival. Errors: none of these; a line that does not parse (the sentence names it).
Result<std::vector<TraceRequest>> read_trace(const std::string& path);
/// The same from memory; `name` stands for the file in sentences.
Result<std::vector<TraceRequest>> parse_trace(std::string_view text, const std::string& name);

struct SyntheticTrace {
  double requests_per_second = 4;
  double seconds = 60;
  double mean_input_tokens = 600;   ///< what a conversation's questions add up to, log-normal
  double mean_output_tokens = 200;  ///< of each answer, log-normal
  double turns = 3;                 ///< mean length of a conversation; each turn begins like the one before
  uint32_t system_tokens = 300;     ///< every conversation of a tenant begins with these
  uint32_t tenants = 4;
  uint64_t seed = 1;
};
/// Conversations that begin at random (Poisson) and go on after the answer was read.
std::vector<TraceRequest> make_trace(const SyntheticTrace& options);

}  // namespace gossamer::simulator
