#include "base/json.h"

#include <boost/json/src.hpp>

namespace gossamer {

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = 128;
  json::stream_parser parser({}, options);
  boost::system::error_code failure;
  const size_t consumed = parser.write_some(text.data(), text.size(), failure);
  if (!failure && consumed < text.size())
    return make_error(ErrorCode::kInvalidInput, "{} has more text after its JSON value, at byte {}", what, consumed);
  if (!failure) parser.finish(failure);
  if (failure)
    return make_error(ErrorCode::kInvalidInput, "{} is not valid JSON: {} at byte {}", what, failure.message(),
                      consumed);
  return parser.release();
}

}  // namespace gossamer
