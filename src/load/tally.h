#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "load/distribution.h"
#include "load/request_record.h"

namespace gossamer::load {

/// Requests added up.
class Tally {
 public:
  /// How often something went wrong, and what was said the first time.
  struct Errors {
    uint64_t count = 0;
    std::string example;
  };

  /// `gaps_ms`: between its texts. `message`: of a failure.
  void add(const RequestRecord& record, const std::vector<float>& gaps_ms, const std::string& message);
  void add(const Tally& other);

  uint64_t answered = 0, failed = 0, unfinished = 0;
  uint64_t input_tokens = 0;   ///< of requests that were answered
  uint64_t output_tokens = 0;  ///< all that arrived
  uint64_t events = 0;         ///< with text, all that arrived
  // Of requests that were answered:
  Distribution latency_ms;               ///< to the end of the answer
  Distribution ttft_ms;                  ///< to the first text
  Distribution tpot_ms;                  ///< mean of a request behind its first token
  Distribution itl_ms;                   ///< between one text and the next
  Distribution added_ms;                 ///< latency less what the server says its engine took
  std::map<std::string, Errors> errors;  ///< by kind
};

}  // namespace gossamer::load
