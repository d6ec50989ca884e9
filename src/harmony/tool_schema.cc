#include "harmony/tool_schema.h"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "harmony/json_text.h"

namespace gossamer::harmony {
namespace {

template <class... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

std::optional<std::string_view> string_of(const json::value* value) {
  const json::string* text = value ? value->if_string() : nullptr;
  if (!text) return std::nullopt;
  return std::string_view(text->data(), text->size());
}

std::optional<std::string_view> string_member(const json::value& schema, std::string_view key) {
  return string_of(find_member(schema, key));
}

const json::array* array_member(const json::value& schema, std::string_view key) {
  const json::value* member = find_member(schema, key);
  return member ? member->if_array() : nullptr;
}

bool is_enum(const json::value& schema) {
  const json::array* values = array_member(schema, "enum");
  return values && !values->empty();
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

/// How the string default of an enum is written: raw, or as JSON (a top-level oneOf does that).
enum class EnumDefault { kRaw, kJson };

/// "default: ..." of a schema that has one. Strings stand in quotes but are not escaped.
std::optional<std::string> default_comment(const json::value& schema, EnumDefault enum_default) {
  const json::value* value = find_member(schema, "default");
  if (!value) return std::nullopt;
  const std::optional<std::string_view> text = string_of(value);
  if (text && !is_enum(schema)) return fmt::format("default: \"{}\"", *text);
  if (text && enum_default == EnumDefault::kRaw) return fmt::format("default: {}", *text);
  return fmt::format("default: {}", compact_json(*value));
}

/// The type of a property or variant, with "| null" where it is nullable and does not say so yet.
std::string type_with_null(const json::value& schema, const std::string& indent) {
  std::string type = schema_to_typescript(schema, indent);
  const json::value* nullable = find_member(schema, "nullable");
  if (nullable && nullable->is_bool() && nullable->get_bool() && type.find("null") == std::string::npos)
    type += " | null";
  return type;
}

void append_trailing(const std::vector<std::string>& comments, std::string& out) {
  if (!comments.empty()) append(out, " // {}", join(comments, " "));
}

/// A oneOf that is not a property's own: at the top, in array items, in another oneOf.
std::string union_type(const json::array& variants, const std::string& indent) {
  std::string out;
  for (const json::value& variant : variants) {
    append(out, "\n{} | {}", indent, type_with_null(variant, indent + "   "));
    std::vector<std::string> comments;
    if (auto description = string_member(variant, "description")) comments.emplace_back(*description);
    if (auto comment = default_comment(variant, EnumDefault::kJson)) comments.push_back(std::move(*comment));
    append_trailing(comments, out);
  }
  return out;
}

void append_examples(const json::value& schema, const std::string& indent, std::string& out) {
  const json::array* examples = array_member(schema, "examples");
  if (!examples || examples->empty()) return;
  append(out, "{}// Examples:\n", indent);
  for (const json::value& example : *examples) {
    if (auto text = string_of(&example)) append(out, "{}// - \"{}\"\n", indent, *text);
  }
}

/// A property whose type is a oneOf: its description and default above it, one variant a line, a lone comma at the end.
/// The property's description hides the first variant's; where they are equal, neither is written.
void append_union_property(std::string_view key, std::string_view mark, const json::value& schema,
                           const json::array& variants, const std::string& indent, std::string& out) {
  const std::optional<std::string_view> description = string_member(schema, "description");
  const bool first_repeats_it =
      description && !variants.empty() && string_member(variants.front(), "description") == description;
  const bool described_above = description && !first_repeats_it;
  if (described_above) append(out, "{}// {}\n", indent, *description);
  if (auto comment = default_comment(schema, EnumDefault::kRaw)) append(out, "{}// {}\n", indent, *comment);
  append(out, "{}{}{}:\n", indent, key, mark);
  for (size_t i = 0; i < variants.size(); ++i) {
    const json::value& variant = variants[i];
    append(out, "{} | {}", indent, type_with_null(variant, indent + "   "));
    std::vector<std::string> comments;
    const std::optional<std::string_view> own = string_member(variant, "description");
    if (own && !(i == 0 && described_above) && own != description) comments.emplace_back(*own);
    if (auto comment = default_comment(variant, EnumDefault::kRaw)) comments.push_back(std::move(*comment));
    append_trailing(comments, out);
    out.push_back('\n');
  }
  append(out, "{},\n", indent);
}

void append_property(std::string_view key, std::string_view mark, const json::value& schema, const std::string& indent,
                     std::string& out) {
  // A oneOf that is no array hides description and default like a proper one, and is otherwise ignored.
  const bool has_union = find_member(schema, "oneOf") != nullptr;
  if (auto title = string_member(schema, "title")) append(out, "{}// {}\n{}//\n", indent, *title, indent);
  if (auto description = string_member(schema, "description"); description && !has_union) {
    append(out, "{}// {}\n", indent, *description);
  }
  append_examples(schema, indent, out);
  if (const json::array* variants = array_member(schema, "oneOf")) {
    append_union_property(key, mark, schema, *variants, indent, out);
    return;
  }
  append(out, "{}{}{}: {},", indent, key, mark, type_with_null(schema, indent + "    "));
  if (auto comment = default_comment(schema, EnumDefault::kRaw); comment && !has_union) append(out, " // {}", *comment);
  out.push_back('\n');
}

std::string object_type(const json::value& schema, const std::string& indent) {
  std::string out;
  if (auto description = string_member(schema, "description")) append(out, "{}// {}\n", indent, *description);
  out.append("{\n");
  std::unordered_set<std::string_view> required;
  if (const json::array* names = array_member(schema, "required")) {
    for (const json::value& name : *names) {
      if (auto text = string_of(&name)) required.insert(*text);
    }
  }
  const json::value* properties = find_member(schema, "properties");
  if (const json::object* members = properties ? properties->if_object() : nullptr) {
    for (const auto& [key, property] : *members) {
      append_property(key, required.contains(key) ? "" : "?", property, indent, out);
    }
  }
  append(out, "{}}}", indent);
  return out;
}

std::string string_type(const json::value& schema) {
  std::vector<std::string> values;
  if (const json::array* allowed = array_member(schema, "enum")) {
    for (const json::value& value : *allowed) {
      if (auto text = string_of(&value)) values.push_back(fmt::format("\"{}\"", *text));
    }
  }
  return values.empty() ? "string" : join(values, " | ");
}

/// {"type": ["integer", "null"]}: the names that are strings.
std::string type_list(const json::array& types) {
  std::vector<std::string> names;
  for (const json::value& type : types) {
    if (auto name = string_of(&type)) names.emplace_back(*name == "integer" ? "number" : *name);
  }
  return names.empty() ? "any" : join(names, " | ");
}

std::string named_type(std::string_view type, const json::value& schema, const std::string& indent) {
  if (type == "object") return object_type(schema, indent);
  if (type == "string") return string_type(schema);
  if (type == "number" || type == "integer") return "number";
  if (type == "boolean") return "boolean";
  if (type == "array") {
    const json::value* items = find_member(schema, "items");
    return items ? schema_to_typescript(*items, indent) + "[]" : "Array<any>";
  }
  return "any";
}

/// Rust's str::lines: splits at \n and \r\n; a last line without \n keeps its \r, an empty one is none.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    if (newline == std::string_view::npos) {
      lines.push_back(text);
      break;
    }
    std::string_view line = text.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(newline + 1);
  }
  return lines;
}

std::string namespace_section(const ToolNamespace& group) {
  std::vector<std::string> lines{fmt::format("## {}\n", group.name)};
  const std::string_view comment = group.tools.empty() ? "" : "// ";
  if (group.description) {
    for (std::string_view line : lines_of(*group.description)) lines.push_back(fmt::format("{}{}", comment, line));
  }
  if (group.tools.empty()) return join(lines, "\n");

  lines.push_back(fmt::format("namespace {} {{\n", group.name));
  for (const ToolDescription& tool : group.tools) {
    for (std::string_view line : lines_of(tool.description)) lines.push_back(fmt::format("// {}", line));
    const std::string arguments = tool.parameters ? "_: " + schema_to_typescript(*tool.parameters, "") : "";
    lines.push_back(fmt::format("type {} = ({}) => any;\n", tool.name, arguments));
  }
  lines.push_back(fmt::format("}} // namespace {}", group.name));
  return join(lines, "\n");
}

}  // namespace

std::string schema_to_typescript(const json::value& schema, const std::string& indent) {
  if (const json::array* variants = array_member(schema, "oneOf")) return union_type(*variants, indent);
  if (const json::array* types = array_member(schema, "type")) return type_list(*types);
  if (auto type = string_member(schema, "type")) return named_type(*type, schema, indent);
  return "any";
}

std::string tools_section(const ToolNamespaces& groups) {
  std::string out = "# Tools";
  for (const auto& [key, group] : groups) append(out, "\n\n{}", namespace_section(group));
  return out;
}

}  // namespace gossamer::harmony
