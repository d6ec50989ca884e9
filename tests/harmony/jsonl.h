#pragma once
/// Expected values: one JSON object a line.

#include <string>
#include <vector>

#include "base/json.h"

namespace gossamer::harmony::testing {

struct Row {
  std::string line;  ///< as it stands in the file
  json::object object;

  std::string name() const { return std::string(object.at("name").as_string()); }
  bool has(std::string_view key) const { return object.contains(key); }
};

/// The rows of tests/data/harmony/FILE, which every clone has; of the oracle's goldens/FILE, none where it is not
/// there.
std::vector<Row> committed_rows(const std::string& file);
std::vector<Row> oracle_rows(const std::string& file);

}  // namespace gossamer::harmony::testing
