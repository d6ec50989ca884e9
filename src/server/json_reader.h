#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/api_error.h"

namespace gossamer::server {

/// A numeric field and the values that it may have. All that requests may hold stand in request_fields.h.
struct NumberField {
  std::string_view name;
  double min, max;
};
struct WholeField {
  std::string_view name;
  int64_t min, max;
};

/// Reads the members of one object of a request. An absent member and null are one. The first thing that is wrong is
/// kept (problem()) and reading goes on with what is absent, so callers look once, at the end. Readers of members share
/// their parent's problem.
class JsonReader {
 public:
  /// Of a whole body.
  explicit JsonReader(const json::object& body) : object_(&body), root_(&own_problem_) {}
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;

  std::optional<std::string> text(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  /// Also where the number is written as a whole one. Out of range: a problem.
  std::optional<double> number(const NumberField& field);
  /// Also 5.0, which some languages write.
  std::optional<int64_t> whole(const WholeField& field);
  const json::array* array(std::string_view key);
  const json::object* object(std::string_view key);
  /// Anything but null.
  const json::value* any(std::string_view key) const;
  /// A text, or a list of at most `max_items` texts: "stop".
  std::vector<std::string> texts(std::string_view key, size_t max_items);

  /// A reader of an object inside this one; `place` as in "messages[2]". Problems are this reader's.
  JsonReader inside(const json::object& object, std::string place) {
    return JsonReader(object, std::move(place), root_);
  }
  /// "messages[2].content": where `key` stands in the body.
  std::string place(std::string_view key) const;

  /// Notes a problem with `key` unless there is one: "the field \"n\" must be ...".
  void fail(std::string_view key, std::string message);
  void fail(ApiError error);
  bool ok() const { return !root_->has_value(); }
  const std::optional<ApiError>& problem() const { return *root_; }

 private:
  JsonReader(const json::object& object, std::string place, std::optional<ApiError>* root)
      : object_(&object), place_(std::move(place)), root_(root) {}
  void wrong_type(std::string_view key, std::string_view wanted);

  const json::object* object_;
  std::string place_;
  std::optional<ApiError> own_problem_;
  std::optional<ApiError>* root_;
};

}  // namespace gossamer::server
