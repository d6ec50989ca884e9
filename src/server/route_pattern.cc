#include "server/route_pattern.h"

namespace gossamer::server {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string_view> segments;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool is_rest(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with("...}");
}

}  // namespace

RoutePattern::RoutePattern(std::string_view pattern) {
  for (const std::string_view segment : split(pattern)) segments_.emplace_back(segment);
}

std::optional<std::vector<std::string>> RoutePattern::match(std::string_view path) const {
  const std::vector<std::string_view> parts = split(path);
  std::vector<std::string> parameters;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (i >= parts.size()) return std::nullopt;
    const std::string_view segment = segments_[i];
    if (is_rest(segment)) {
      std::string rest(parts[i]);
      for (size_t j = i + 1; j < parts.size(); ++j) rest.append("/").append(parts[j]);
      parameters.push_back(std::move(rest));
      return parameters;
    }
    if (segment.starts_with('{'))
      parameters.emplace_back(parts[i]);
    else if (segment != parts[i])
      return std::nullopt;
  }
  if (parts.size() != segments_.size()) return std::nullopt;
  return parameters;
}

}  // namespace gossamer::server
