#include "grammar/schema_dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "grammar/schema_logic.h"
#include "grammar/schema_pattern.h"
#include "grammar/schema_pointer.h"

namespace gossamer::grammar {
namespace {

/// The compiler looks for references as they are written, and in its own schema.
bool is_found_as_written(std::string_view reference) {
  return reference.find('~') == std::string_view::npos &&
         reference.find("/patternProperties/") == std::string_view::npos &&
         reference.find("/oneOf/") == std::string_view::npos;
}

class Translator {
 public:
  explicit Translator(const json::value& root) : root_(root) {}

  json::value translate() {
    json::value translated = translate(root_);
    if (names_.empty()) return translated;
    json::value& definitions = translated.get_object()["$defs"];
    if (!definitions.is_object()) definitions = json::object();
    // Each may refer to more of them, which are behind it.
    for (size_t i = 0; i < targets_.size(); ++i) definitions.get_object()[name_of(i)] = translate(*targets_[i]);
    return translated;
  }

 private:
  json::value translate(const json::value& schema) {
    if (!schema.is_object()) return schema;
    json::object out;
    for (const auto& [keyword, value] : schema.get_object())
      translate_keyword(schema.get_object(), keyword, value, out);
    return json::value(std::move(out));
  }

  void translate_keyword(const json::object& schema, std::string_view keyword, const json::value& value,
                         json::object& out) {
    if (keyword == "oneOf" && schema.contains("anyOf")) {
      json::value& all_of = out["allOf"];
      if (!all_of.is_array()) all_of = json::array();
      all_of.get_array().push_back(json::object{{"anyOf", translate_list(value)}});
    } else if (keyword == "allOf" && out.contains("allOf")) {
      for (json::value& one : translate_list(value)) out["allOf"].get_array().push_back(std::move(one));
    } else if (keyword == "oneOf" || keyword == "anyOf" || keyword == "allOf" || keyword == "prefixItems") {
      out[keyword == "oneOf" ? "anyOf" : keyword] = translate_list(value);
    } else if (keyword == "properties" || keyword == "$defs" || keyword == "definitions" ||
               keyword == "patternProperties") {
      json::object map;
      for (const auto& [name, one] : value.get_object())
        map[keyword == "patternProperties" ? rust_pattern(name) : std::string(name)] = translate(one);
      out[keyword] = std::move(map);
    } else if (keyword == "items" || keyword == "additionalProperties") {
      out[keyword] = translate(value);
    } else if (keyword == "pattern") {
      out[keyword] = rust_pattern(value.get_string());
    } else if (keyword == "$ref") {
      out[keyword] = translate_reference(std::string(value.get_string()));
    } else {
      out[keyword] = value;
    }
  }

  json::array translate_list(const json::value& list) {
    json::array out;
    for (const json::value& one : list.get_array()) out.push_back(translate(one));
    return out;
  }

  std::string translate_reference(const std::string& reference) {
    if (is_found_as_written(reference)) return reference;
    const auto [found, is_new] = names_.emplace(reference, targets_.size());
    if (is_new) targets_.push_back(find_reference(root_, reference));
    return "#/$defs/" + name_of(found->second);
  }

  /// No name that the schema has itself.
  std::string name_of(size_t index) const {
    std::string name = fmt::format("definition {}", index);
    const json::value* definitions = root_.get_object().if_contains("$defs");
    while (definitions && definitions->get_object().contains(name)) name += '\'';
    return name;
  }

  const json::value& root_;
  std::map<std::string, size_t> names_;  // of references that are not found as written, to `targets_`
  std::vector<const json::value*> targets_;
};

/// The key of `source` that became `piece`, a piece of a JSON pointer; empty: none did.
std::string source_piece(const json::value& source, const std::string& piece) {
  boost::system::error_code ignored;
  if (source.find_pointer(piece, ignored)) return piece;
  if (!source.is_object()) return "";
  for (const auto& [name, value] : source.get_object())
    if (pointer_piece(rust_pattern(name)) == piece) return pointer_piece(name);
  for (const char* origin : {"/oneOf", "/format"})
    if (source.get_object().contains(origin + 1) && (piece == "/anyOf") == (std::string_view(origin) == "/oneOf"))
      return origin;
  return "";
}

}  // namespace

std::string source_place(const json::value& schema, std::string_view place) {
  std::string found;
  for (const json::value* at = &schema; at && !place.empty();) {
    const size_t end = std::min(place.find('/', 1), place.size());
    const std::string piece = source_piece(*at, std::string(place.substr(0, end)));
    found += piece;
    place.remove_prefix(end);
    boost::system::error_code ignored;
    at = piece.empty() || piece == "/format" ? nullptr : at->find_pointer(piece, ignored);
  }
  return found;
}

json::value compiler_schema(const json::value& schema) {
  return Translator(schema).translate();
}

}  // namespace gossamer::grammar
