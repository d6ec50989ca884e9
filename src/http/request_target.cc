#include "http/request_target.h"

#include "http/ascii.h"

namespace gossamer::http {

namespace {

/// "http://host/path" is "/path" here: this server has one name only.
std::string_view without_authority(std::string_view target) {
  const size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == target.npos) return target;
  const size_t path = target.find_first_of("/?", scheme + 3);
  return path == target.npos ? "/" : target.substr(path);
}

std::optional<std::string> decode_escapes(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    decoded += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return decoded;
}

}  // namespace

std::optional<RequestTarget> parse_request_target(std::string_view target) {
  target = without_authority(target);
  target = target.substr(0, target.find('#'));
  const size_t question = target.find('?');
  auto path = decode_escapes(target.substr(0, question));
  if (!path) return std::nullopt;
  if (path->empty()) path->push_back('/');
  return RequestTarget{std::move(*path), std::string(question == target.npos ? "" : target.substr(question + 1))};
}

}  // namespace gossamer::http
