#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace gossamer::load {

/// What became of one request.
struct RequestRecord {
  static constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

  enum class Outcome : uint8_t {
    kAnswered,    ///< whole, with status 200
    kFailed,      ///< `error` says how
    kUnfinished,  ///< the run was stopped meanwhile
  };
  Outcome outcome = Outcome::kUnfinished;
  std::string error = {};    ///< its kind, a word or two: "HTTP 429", "timeout"
  double begin_seconds = 0;  ///< when it was due, from the beginning of the run
  float latency_ms = 0;      ///< from then to the end of the answer
  float ttft_ms = kNone;  ///< to the first text, or, without any, to the first event; kNone: not streamed, or none came
  float engine_ms = kNone;     ///< what the server says its engine took; kNone: it does not tell
  uint64_t input_tokens = 0;   ///< as the server counts them
  uint64_t output_tokens = 0;  ///< as the server counts them, else events with text
  uint64_t events = 0;         ///< with text
};

}  // namespace gossamer::load
