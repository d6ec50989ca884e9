#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "synthetic/planned_file.h"

namespace gossamer::synthetic {

/// Told after every few megabytes how many bytes more are written; false stops.
using OnWritten = std::function<bool(uint64_t bytes)>;

/// Writes `file` to `path`, which is made or emptied, with all threads of the pool; a megabyte for each is held. What
/// the bytes are depends on the plan alone.
/// Errors: the system refuses (no permission, no room), kCancelled where `on_written` says so. What is there then
/// stays.
Status write_planned_file(const PlannedFile& file, const std::string& path, ThreadPool& pool,
                          const OnWritten& on_written);

}  // namespace gossamer::synthetic
