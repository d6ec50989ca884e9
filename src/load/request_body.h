#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/load_plan.h"

namespace gossamer::load {

/// Makes the bodies of a plan's requests; what is the same each time is written once.
class RequestBodies {
 public:
  explicit RequestBodies(const RequestPlan& plan);

  /// The JSON of request number `index`.
  std::string body(uint64_t index) const;
  /// "/chat/completions", "/completions".
  const char* path() const;

 private:
  std::string prompt_field(const Prompt& prompt) const;

  const RequestPlan& plan_;
  std::vector<std::string> prompt_fields_;  // "messages":[...]
  std::string rest_;                        // all other fields, each behind a comma
};

}  // namespace gossamer::load
