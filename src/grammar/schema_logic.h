#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grammar/schema_number.h"

namespace gossamer::grammar {

/// Types of values, as bits. A number is an integer or a fraction.
enum SchemaType : uint8_t {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,
  kString = 16,
  kArray = 32,
  kObject = 64,
  kAnyType = 127,
};

/// What the keyword "type" of this schema leaves.
uint8_t types_of(const json::object& schema);

/// The schema that a "$ref" of this document refers to; null: there is none.
const json::value* find_reference(const json::value& root, std::string_view reference);

/// Proves that schemas contradict each other. What it cannot prove within its budget of steps it does not claim.
class SchemaLogic {
 public:
  /// `root` must outlive this, and its references must not lead to themselves at the same place of the text.
  SchemaLogic(const json::value& root, int64_t max_steps) : root_(root), steps_left_(max_steps) {}

  /// Schemas that all apply to one value, with those that they refer to: what each says by itself, and its choices.
  struct Conjunction {
    std::vector<const json::object*> parts;
    std::vector<const json::array*> choices;  ///< anyOf and oneOf
    bool is_false = false;
  };
  void add(const json::value& schema, Conjunction& all);
  /// Surely no value fits all of them.
  bool is_empty(const Conjunction& all) { return is_empty(all, kMaxDepth); }
  bool is_empty(const json::value& schema);
  /// Nothing will be proved any more.
  bool is_spent() const { return steps_left_ <= 0; }

 private:
  static constexpr int kMaxDepth = 8;     // of properties within properties
  static constexpr int kChoiceDepth = 3;  // what a choice takes of it: there are many of them

  bool is_empty(const Conjunction& all, int depth);
  bool has_no_value(uint8_t type, const Conjunction& all, int depth);
  bool has_no_number(bool is_integer, const Conjunction& all) const;
  bool has_no_array(const Conjunction& all, int depth);
  bool has_no_object(const Conjunction& all, int depth);
  bool every_choice_is_empty(const Conjunction& all, int depth);
  void add_property(const json::object& part, std::string_view name, Conjunction& all);
  /// The value surely does not fit.
  bool refuses(const json::value& schema, const json::value& value, int depth);
  bool keyword_refuses(const json::object& schema, std::string_view keyword, const json::value& operand,
                       const json::value& value, int depth);

  const json::value& root_;
  int64_t steps_left_;
};

}  // namespace gossamer::grammar
