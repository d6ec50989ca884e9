#pragma once

#include <functional>
#include <vector>

#include "http/http_client.h"
#include "load/load_plan.h"
#include "load/request_record.h"
#include "load/tally.h"

namespace gossamer::load {

/// How far a run is.
struct LoadProgress {
  double seconds = 0;  ///< since it began
  uint64_t begun = 0, ended = 0, failed = 0;
  uint64_t events = 0;          ///< with text, until now
  uint64_t requests = 0;        ///< of the plan; 0: until the time is over
  double duration_seconds = 0;  ///< of the plan; 0: any
};
/// Called on the thread that runs, some twenty times a second. False: stop, and tell what there is.
using LoadObserver = std::function<bool(const LoadProgress&)>;

struct LoadResult {
  double wall_seconds = 0;  ///< from the beginning to the end of the last answer
  bool stopped = false;     ///< by the observer
  Tally tally = {};
  std::vector<RequestRecord> records = {};  ///< in the order in which they ended

  /// What came later, with its own clock: it begins where this one ended.
  void append(const LoadResult& later);
};

/// Sends the requests of `plan` with `client`, which is at the API's address, and waits for all answers.
LoadResult run_load(http::HttpClient& client, const LoadPlan& plan, const LoadObserver& observer = {});

}  // namespace gossamer::load
