#pragma once

#include "base/json.h"

namespace gossamer::cli {

/// What a verb of `gossamer gpu` adds to the report.
struct GpuPart {
  boost::json::object json;
  bool ok = true;
};

}  // namespace gossamer::cli
