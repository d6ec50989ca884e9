#pragma once

#include "base/json.h"

namespace gossamer::grammar {

/// A compiler_schema() in which no declared name of an object can come again as one of its other names. The compiler
/// looks at names as they are written: with "b" declared and others allowed, it takes "\u0062" for another name, whose
/// value nothing bounds. Where others may be anything they become a pattern, of whose names the compiler writes each in
/// one way only; elsewhere no text has \uXXXX, which otherwise stands for control characters.
json::value with_names_apart(json::value schema);

}  // namespace gossamer::grammar
