#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gossamer::grammar {

/// What "format" does to texts.
struct StringFormat {
  enum class Kind : uint8_t {
    kCompiled,    ///< the compiler knows it
    kPattern,     ///< it is `pattern`, a regular expression for a whole match
    kAnnotation,  ///< it says what a text means and nothing about its characters
  };
  Kind kind;
  std::string pattern;
};

/// The format of this name; nothing where no text can be held to it. Dates are days that there are, of the years 0001
/// to 9999; times have no leap seconds, which validators take only where there was one.
std::optional<StringFormat> string_format(std::string_view name);

/// "date-time, date, ...", for people.
std::string string_format_names();

}  // namespace gossamer::grammar
