#pragma once
/// How a JSON text becomes a json::value where Boost's own handler will not do: it reads a number beyond double's range
/// as an infinity and 0e400 as no number at all, neither of which JSON can say, and other doubles not always to the
/// nearest.

#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace gossamer {

/// Builds a json::value from the events of boost::json::basic_parser; doubles are read again from their own text.
/// `Numbers` has `static std::optional<double> read_double(std::string_view text, double about)`: the text of a number
/// that JSON's grammar allows, and what Boost made of it (not to be trusted beyond its size); nothing where it is too
/// large. And `static constexpr bool kMinusZeroIsDouble`: -0 is -0.0 and not the integer 0.
template <class Numbers>
class JsonBuilder {
 public:
  static constexpr size_t max_object_size = json::object::max_size();
  static constexpr size_t max_array_size = json::array::max_size();
  static constexpr size_t max_key_size = json::string::max_size();
  static constexpr size_t max_string_size = json::string::max_size();
  using error_code = boost::system::error_code;
  using string_view = boost::json::string_view;

  json::value release() { return stack_.release(); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(size_t n, error_code&) { return stack_.push_object(n), true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t n, error_code&) { return stack_.push_array(n), true; }
  bool on_key_part(string_view s, size_t, error_code&) { return stack_.push_chars(s), true; }
  bool on_key(string_view s, size_t, error_code&) { return stack_.push_key(s), true; }
  bool on_string_part(string_view s, size_t, error_code&) { return stack_.push_chars(s), true; }
  bool on_string(string_view s, size_t, error_code&) { return stack_.push_string(s), true; }
  bool on_number_part(string_view s, error_code&) { return number_.append(s.data(), s.size()), true; }
  bool on_bool(bool b, error_code&) { return stack_.push_bool(b), true; }
  bool on_null(error_code&) { return stack_.push_null(), true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  bool on_int64(int64_t i, string_view s, error_code& failure) {
    if (Numbers::kMinusZeroIsDouble && i == 0 && (number_.starts_with('-') || s.starts_with('-')))
      return on_double(0, s, failure);
    number_.clear();
    stack_.push_int64(i);
    return true;
  }
  bool on_uint64(uint64_t u, string_view, error_code&) {
    number_.clear();
    stack_.push_uint64(u);
    return true;
  }
  bool on_double(double about, string_view s, error_code& failure) {
    number_.append(s.data(), s.size());
    const std::optional<double> value = Numbers::read_double(number_, about);
    number_.clear();
    if (!value) {
      failure = json::error::exponent_overflow;
      return false;
    }
    stack_.push_double(*value);
    return true;
  }

 private:
  json::value_stack stack_;
  std::string number_;  // the part of the current number that came in earlier calls
};

/// parse_json() with `Numbers`.
template <class Numbers>
Result<json::value> parse_json_with(std::string_view text, std::string_view what) {
  json::parse_options options;
  options.max_depth = 128;
  json::basic_parser<JsonBuilder<Numbers>> parser(options);
  boost::system::error_code failure;
  const size_t consumed = parser.write_some(false, text.data(), text.size(), failure);
  if (failure)
    return make_error(ErrorCode::kInvalidInput, "{} is not valid JSON: {} at byte {}", what, failure.message(),
                      consumed);
  const size_t rest = text.find_first_not_of(" \t\r\n", consumed);
  if (rest != std::string_view::npos)
    return make_error(ErrorCode::kInvalidInput, "{} has more text after its JSON value, at byte {}", what, rest);
  return parser.handler().release();
}

}  // namespace gossamer
