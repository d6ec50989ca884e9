#pragma once

#include <string>

#include "base/json.h"
#include "checkpoint/checkpoint.h"

namespace gossamer {

/// "12.1 GB", "512 B": powers of 1000.
std::string bytes_text(uint64_t bytes);

/// The facts of a model as a table for people, ending in a newline.
std::string show_text(const Checkpoint& checkpoint);

/// The same for programs: counts and bytes as numbers, keys in the order of the table.
json::object show_json(const Checkpoint& checkpoint);

}  // namespace gossamer
