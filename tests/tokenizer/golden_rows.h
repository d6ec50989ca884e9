#pragma once
/// Rows of goldens: one JSON object a line, plain or gzipped (where the tests are built with zlib).

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace gossamer::test {

/// Bytes written as hexadecimal digits.
std::string from_hex(std::string_view hex);

/// The ids in the member `key` of a row.
std::vector<uint32_t> ids_of(const json::object& row, std::string_view key);

/// All rows of a .jsonl or .jsonl.gz file; nothing where it is not there or cannot be unpacked.
std::optional<std::vector<json::object>> read_rows(const std::string& path);

}  // namespace gossamer::test
