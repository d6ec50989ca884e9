#include "http/exchange.h"

#include "http/ascii.h"

namespace gossamer::http {

const std::string* Headers::find(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (equal_ignoring_case(field, name)) return &value;
  return nullptr;
}

}  // namespace gossamer::http
