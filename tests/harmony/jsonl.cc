#include "harmony/jsonl.h"

#include <fstream>
#include <stdexcept>

namespace gossamer::harmony::testing {
namespace {

std::vector<Row> rows_of(const std::string& path) {
  std::vector<Row> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Result<json::value> value = parse_json(line, path);
    if (!value.ok()) throw std::runtime_error(value.error().message);
    rows.push_back({line, value->as_object()});
  }
  return rows;
}

}  // namespace

std::vector<Row> committed_rows(const std::string& file) {
  return rows_of(GOSSAMER_SOURCE_DIR "/tests/data/harmony/" + file);
}

std::vector<Row> oracle_rows(const std::string& file) {
  return rows_of(GOSSAMER_SHARED_DIR "/oracle/goldens/" + file);
}

}  // namespace gossamer::harmony::testing
