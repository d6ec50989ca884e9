#include "tools/web_link.h"

#include <algorithm>
#include <vector>

namespace gossamer::tools {
namespace {

constexpr size_t kLongestAddress = 4096;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/// "/a/./b/../c" without dots.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> parts;
  bool ends_open = false;
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin + 1), path.size());
    const std::string_view part = path.substr(begin, end - begin);  // "/x"
    ends_open = part == "/." || part == "/..";
    if (part == "/..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != "/.") {
      parts.push_back(part);
    }
    begin = end;
  }
  std::string out;
  for (const std::string_view part : parts) out += part;
  if (ends_open || out.empty()) out += '/';
  return out;
}

std::string resolved(const std::string& base, std::string_view link) {
  while (!link.empty() && is_space(link.front())) link.remove_prefix(1);
  while (!link.empty() && is_space(link.back())) link.remove_suffix(1);
  link = link.substr(0, link.find('#'));
  if (link.empty()) return {};
  for (const char c : link)
    if (static_cast<unsigned char>(c) <= ' ' || c == '\\' || c == 0x7f) return {};
  std::string start(link.substr(0, 8));
  std::transform(start.begin(), start.end(), start.begin(), lower);
  for (const std::string_view scheme : {"http://", "https://"})
    if (start.starts_with(scheme)) return std::string(scheme) += link.substr(scheme.size());
  const size_t host = base.find("://");
  if (host == std::string::npos) return {};
  if (link.starts_with("//")) return base.substr(0, host + 1) + std::string(link);
  const size_t colon = link.find_first_of(":/?");
  if (colon != std::string_view::npos && link[colon] == ':') return {};  // mailto:, javascript:
  const size_t path = std::min(base.find_first_of("/?#", host + 3), base.size());
  const std::string origin = base.substr(0, path);
  const std::string base_path = base.substr(path, base.find_first_of("?#", path) - path);
  if (link.starts_with('?')) return origin + (base_path.empty() ? "/" : base_path) + std::string(link);
  const size_t query = std::min(link.find('?'), link.size());
  const std::string folder = base_path.substr(0, base_path.rfind('/') + 1);
  const std::string whole = link.starts_with('/')
                                ? std::string(link.substr(0, query))
                                : (folder.empty() ? "/" : folder) + std::string(link.substr(0, query));
  return origin + without_dots(whole) + std::string(link.substr(query));
}

}  // namespace

std::string resolve_link(const std::string& base, std::string_view link) {
  std::string address = resolved(base, link);
  return address.size() > kLongestAddress ? std::string() : address;
}

}  // namespace gossamer::tools
