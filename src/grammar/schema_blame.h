#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/json.h"

namespace gossamer::grammar {

/// Where in a schema something is that a compiler refuses.
struct SchemaBlame {
  std::string place;    ///< a JSON pointer: of the keyword, or of a schema where no keyword alone is at fault
  std::string keyword;  ///< empty: none alone
};

/// Why a schema is refused; nothing: it is not.
using WhyRefused = std::function<std::optional<std::string>(const json::value& schema)>;

/// Finds the smallest part of `schema` that is refused for `reason`, and the keyword without which it is not, by asking
/// about parts of it again and again, until `is_late` says that this takes too long: then the smallest part so far.
SchemaBlame find_blame(const json::value& schema, const std::string& reason, const WhyRefused& why_refused,
                       const std::function<bool()>& is_late);

}  // namespace gossamer::grammar
