#include "load/report_csv.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace gossamer::load {
namespace {

constexpr const char* kOutcomes[] = {"answered", "failed", "unfinished"};

std::string known(float milliseconds) {
  return std::isnan(milliseconds) ? "" : fmt::format("{:.3f}", milliseconds);
}

}  // namespace

std::string report_csv(const std::vector<LoadSide>& sides) {
  std::string text = "server,begin_s,latency_ms,ttft_ms,input_tokens,output_tokens,events,outcome,error\n";
  for (size_t i = 0; i < sides.size(); ++i)
    for (const RequestRecord& record : sides[i].result.records)
      fmt::format_to(std::back_inserter(text), "{},{:.6f},{:.3f},{},{},{},{},{},{}\n", static_cast<char>('A' + i),
                     record.begin_seconds, record.latency_ms, known(record.ttft_ms), record.input_tokens,
                     record.output_tokens, record.events, kOutcomes[static_cast<size_t>(record.outcome)], record.error);
  return text;
}

}  // namespace gossamer::load
