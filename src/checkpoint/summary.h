#pragma once

#include <string>

#include "base/json.h"
#include "checkpoint/checkpoint.h"

namespace gossamer {

/// The facts of a model as a table for people, ending in a newline.
std::string show_text(const Checkpoint& checkpoint);

/// The same for programs: counts and bytes as numbers, keys in the order of the table.
json::object show_json(const Checkpoint& checkpoint);

}  // namespace gossamer
