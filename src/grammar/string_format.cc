#include "grammar/string_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace gossamer::grammar {
namespace {

constexpr std::string_view kCompiled[] = {"duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"};
constexpr std::string_view kPatterns[] = {"date-time", "date", "time", "uri-reference"};
constexpr std::string_view kAnnotations[] = {"binary", "byte", "password", "path", "file-path", "directory-path"};

template <size_t kSize>
bool is_one_of(std::string_view word, const std::string_view (&words)[kSize]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string date() {
  constexpr std::string_view kYear = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
  constexpr std::string_view kDayOfAnyYear =
      "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-"
      "8]))";
  // Divisible by 4 and no century, or a century that is divisible by 400.
  constexpr std::string_view kLeapYear =
      "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
  return fmt::format("(?:{}-{}|{}-02-29)", kYear, kDayOfAnyYear, kLeapYear);
}

constexpr std::string_view kTime =
    R"((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[zZ]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))";

/// RFC 3986, without addresses in brackets and names before an "@".
std::string uri_reference() {
  constexpr std::string_view kCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
  constexpr std::string_view kNoColon = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})";
  constexpr std::string_view kScheme = "[A-Za-z][A-Za-z0-9+.-]*:";
  const std::string segments = fmt::format("(?:/{}*)*", kCharacter);
  const std::string absolute = fmt::format("/(?:{}+{})?", kCharacter, segments);
  const std::string with_host = fmt::format("(?:{})?//[A-Za-z0-9._~-]*(?::[0-9]{{1,4}})?{}", kScheme, segments);
  const std::string with_scheme = fmt::format("{}(?:{}|{}+{})?", kScheme, absolute, kCharacter, segments);
  const std::string relative = fmt::format("{}|{}+{}", absolute, kNoColon, segments);
  const std::string rest = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*";
  return fmt::format(R"((?:{}|{}|{})?(?:\?{})?(?:#{})?)", with_host, with_scheme, relative, rest, rest);
}

std::string pattern_of(std::string_view name) {
  if (name == "date") return date();
  if (name == "time") return std::string(kTime);
  if (name == "date-time") return date() + "[tT]" + std::string(kTime);
  return uri_reference();
}

}  // namespace

std::optional<StringFormat> string_format(std::string_view name) {
  if (is_one_of(name, kCompiled)) return StringFormat{StringFormat::Kind::kCompiled, ""};
  if (is_one_of(name, kPatterns)) return StringFormat{StringFormat::Kind::kPattern, "^(?:" + pattern_of(name) + ")$"};
  if (is_one_of(name, kAnnotations)) return StringFormat{StringFormat::Kind::kAnnotation, ""};
  return std::nullopt;
}

std::string string_format_names() {
  return fmt::format("{}, {}, {}", fmt::join(kPatterns, ", "), fmt::join(kCompiled, ", "),
                     fmt::join(kAnnotations, ", "));
}

}  // namespace gossamer::grammar
