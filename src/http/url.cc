#include "http/url.h"

#include <charconv>

namespace gossamer::http {

namespace {

Error not_a_url(std::string_view text, const char* why) {
  return make_error(ErrorCode::kInvalidInput,
                    "{} is not an address of a server: {}; give http://HOST:PORT, https://HOST or unix:PATH", text,
                    why);
}

/// Takes `prefix` off, if it is there.
bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool parse_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0;
}

}  // namespace

std::string Url::authority() const {
  if (!unix_socket.empty()) return "localhost";
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (take_prefix(rest, "unix:")) {
    take_prefix(rest, "//");
    if (rest.empty()) return not_a_url(text, "it names no socket");
    url.unix_socket = rest;
    return url;
  }
  url.tls = take_prefix(rest, "https://");
  if (!url.tls && !take_prefix(rest, "http://") && rest.find("://") != rest.npos)
    return not_a_url(text, "its scheme is neither http nor https");
  const size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  url.path = rest.substr(slash);
  if (url.path.find_first_of("?#") != std::string::npos) return not_a_url(text, "it has a query");
  while (url.path.ends_with('/')) url.path.pop_back();
  if (authority.find('@') != authority.npos) return not_a_url(text, "it names a user");

  std::string_view port;
  if (take_prefix(authority, "[")) {
    const size_t bracket = authority.find(']');
    if (bracket == authority.npos) return not_a_url(text, "a bracket is not closed");
    url.host = authority.substr(0, bracket);
    port = authority.substr(bracket + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (url.host.empty()) return not_a_url(text, "it names no host");
  url.port = url.tls ? 443 : 80;
  if (!port.empty() && (!take_prefix(port, ":") || !parse_port(port, url.port)))
    return not_a_url(text, "its port is not a number from 1 to 65535");
  return url;
}

}  // namespace gossamer::http
