#include "load/tally.h"

#include <cmath>

namespace gossamer::load {

void Tally::add(const RequestRecord& record, const std::vector<float>& gaps_ms, const std::string& message) {
  output_tokens += record.output_tokens;
  events += record.events;
  if (record.outcome == RequestRecord::Outcome::kUnfinished) {
    ++unfinished;
    return;
  }
  if (record.outcome == RequestRecord::Outcome::kFailed) {
    ++failed;
    Errors& kind = errors[record.error];
    if (kind.count++ == 0) kind.example = message;
    return;
  }
  ++answered;
  input_tokens += record.input_tokens;
  latency_ms.add(record.latency_ms);
  if (!std::isnan(record.engine_ms)) added_ms.add(record.latency_ms - record.engine_ms);
  for (const float gap : gaps_ms) itl_ms.add(gap);
  if (std::isnan(record.ttft_ms)) return;
  ttft_ms.add(record.ttft_ms);
  if (record.output_tokens > 1)
    tpot_ms.add((record.latency_ms - record.ttft_ms) / static_cast<double>(record.output_tokens - 1));
}

void Tally::add(const Tally& other) {
  answered += other.answered;
  failed += other.failed;
  unfinished += other.unfinished;
  input_tokens += other.input_tokens;
  output_tokens += other.output_tokens;
  events += other.events;
  latency_ms.add(other.latency_ms);
  ttft_ms.add(other.ttft_ms);
  tpot_ms.add(other.tpot_ms);
  itl_ms.add(other.itl_ms);
  added_ms.add(other.added_ms);
  for (const auto& [kind, theirs] : other.errors) {
    Errors& ours = errors[kind];
    if (ours.count == 0) ours.example = theirs.example;
    ours.count += theirs.count;
  }
}

}  // namespace gossamer::load
