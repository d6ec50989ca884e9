#pragma once

#include <string>

#include "base/json.h"

namespace gossamer::grammar::testing {

/// Whether `value` fits `schema`: plain loops over the keywords, which know nothing of grammars. Empty: it fits; else
/// why not. `root` is the schema that "$ref" refers to.
std::string why_it_does_not_fit(const json::value& value, const json::value& schema, const json::value& root);

}  // namespace gossamer::grammar::testing
