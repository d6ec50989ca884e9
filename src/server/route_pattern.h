#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gossamer::server {

/// "/v1/responses/{id}/cancel": segments that are given, and parameters that are one segment each; "{id...}" at the end
/// is all that follows, slashes too.
class RoutePattern {
 public:
  explicit RoutePattern(std::string_view pattern);

  /// What stands in the parameters' places; nothing: the path is another one. A slash at the end does not count.
  std::optional<std::vector<std::string>> match(std::string_view path) const;

 private:
  std::vector<std::string> segments_;
};

}  // namespace gossamer::server
