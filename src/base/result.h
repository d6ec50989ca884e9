#pragma once
/// Errors as values. Rooms below `cli` never print and never throw across their border: what the caller or a file did
/// wrong comes back as an Error whose sentence is written for people (what, where, both values, what to do).

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace gossamer {

/// What kind of failure it was; the sentence says the rest.
enum class ErrorCode {
  kInvalidInput,  ///< the caller's fault: a malformed file, value or request
  kNotFound,      ///< a file, model or name that is not there
  kUnsupported,   ///< well-formed, but not something gossamer does
  kIo,            ///< the operating system refused
  kCancelled,     ///< stopped on request
  kBusy,          ///< not now: worth another try later
  kTooLong,       ///< a prompt that does not fit the context
};

struct Error {
  ErrorCode code = ErrorCode::kInvalidInput;
  std::string message;  ///< one sentence, no trailing newline
};

/// An Error with a formatted sentence: `make_error(ErrorCode::kIo, "cannot open {}", path)`.
template <class... Args>
Error make_error(ErrorCode code, fmt::format_string<Args...> text, Args&&... args) {
  return Error{code, fmt::format(text, std::forward<Args>(args)...)};
}

/// A T, or the Error that stands in its place.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace gossamer

#define GOS_CONCAT_INNER(a, b) a##b
#define GOS_CONCAT(a, b) GOS_CONCAT_INNER(a, b)
/// `GOS_TRY(auto x, f())`: x is the value of f(), or the enclosing function returns f()'s Error.
#define GOS_TRY(declaration, expression) GOS_TRY_INNER(declaration, expression, GOS_CONCAT(gos_result_, __LINE__))
#define GOS_TRY_INNER(declaration, expression, result) \
  auto result = (expression);                          \
  if (!result.ok()) return std::move(result).error();  \
  declaration = std::move(result).value()
/// `GOS_TRY_STATUS(f())`: the enclosing function returns f()'s Error where there is one.
#define GOS_TRY_STATUS(expression)                                                              \
  do {                                                                                          \
    if (auto gos_status = (expression); !gos_status.ok()) return std::move(gos_status).error(); \
  } while (0)
