#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::cli {

/// The report of `gossamer gpu`: one JSON object about one card and one program, to which each verb adds its part. Its
/// format is in docs/cli.md; bench/gpu/compare.py reads it.
class GpuReport {
 public:
  static constexpr int kFormat = 1;

  /// `device` says which card it is; `file` is where it is kept, "-" or empty for nowhere. Where the file is there
  /// already, its parts stay. Errors: it is no report, or one of another card or revision.
  static Result<GpuReport> open(const std::string& file, const json::object& device, const std::string& revision);

  /// Puts a part in, in place of one of that name. Errors: the file cannot be written.
  Status put(std::string_view part, json::object content);
  /// Puts a model's figures among those of others: `part` is "models" or "bench".
  Status put(std::string_view part, std::string_view model, json::object content);

  const json::object& content() const { return content_; }

 private:
  Status save() const;

  std::string file_;  // empty: nowhere
  json::object content_;
};

/// What people read of a report, a line each: some forty of a whole slot.
std::vector<std::string> table_of(const json::object& report);

}  // namespace gossamer::cli
