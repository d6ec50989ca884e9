#pragma once

#include "base/json.h"
#include "base/result.h"

namespace gossamer::grammar {

/// What keywords must be together, of a schema whose keywords are right one by one: the alternatives of each oneOf
/// cannot overlap, what counts properties can be kept, something fits each part. Errors name keyword and JSON pointer.
Status check_rules(const json::value& schema);

}  // namespace gossamer::grammar
