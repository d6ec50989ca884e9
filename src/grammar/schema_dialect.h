#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace gossamer::grammar {

/// A checked schema as the compiler reads it: alternatives that cannot overlap as anyOf, expressions in Rust's syntax,
/// references by names without escapes.
json::value compiler_schema(const json::value& schema);

/// The place in a client's schema from which what stands at `place` of its compiler_schema() was made: JSON pointers.
std::string source_place(const json::value& schema, std::string_view place);

}  // namespace gossamer::grammar
