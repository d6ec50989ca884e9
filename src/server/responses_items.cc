#include "server/responses_items.h"

#include <algorithm>
#include <utility>

namespace gossamer::server {
namespace {

constexpr size_t kStemLength = 24;

std::string item_id(std::string_view prefix, std::string_view stem, char side, size_t idx) {
  return fmt::format("{}{}{}{}", prefix, stem, side, idx);
}

/// The prefix of the ids of items of that type.
std::string_view id_prefix(std::string_view type) {
  constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
      {"message", "msg_"},
      {"reasoning", "rs_"},
      {"function_call", "fc_"},
      {"function_call_output", "fco_"},
      {"custom_tool_call", "ctc_"},
      {"custom_tool_call_output", "ctco_"},
      {"apply_patch_call", "apc_"},
      {"apply_patch_call_output", "apco_"},
      {"web_search_call", "ws_"},
      {"code_interpreter_call", "ci_"},
      {"mcp_call", "mcp_"},
      {"mcp_list_tools", "mcpl_"},
      {"mcp_approval_request", "mcpr_"},
      {"mcp_approval_response", "mcpa_"},
  };
  for (const auto& [name, prefix] : kPrefixes)
    if (name == type) return prefix;
  return "item_";
}

/// The type of an item that leaves it out: a message has a role, a reference nothing but its id.
std::optional<std::string> implied_type(const json::object& item) {
  if (item.contains("role")) return "message";
  if (item.contains("id") && !item.contains("content")) return "item_reference";
  return std::nullopt;
}

/// Messages, calls and what calls gave are listed with a status: what a client sends is complete.
bool has_status(std::string_view type) {
  return type == "message" || type.ends_with("_call") || type.ends_with("_call_output");
}

/// Parts with the one text, where the content is a text: how the content of a message is listed.
void spread_content(json::object& item) {
  json::value* content = item.if_contains("content");
  if (!content || !content->is_string()) return;
  const json::value* role = item.if_contains("role");
  const bool says = role && role->is_string() && role->get_string() == "assistant";
  json::object part{{"type", says ? "output_text" : "input_text"}, {"text", *content}};
  if (says) part.emplace("annotations", json::array());
  *content = json::array{std::move(part)};
}

void complete_item(json::object& item, std::string_view stem, size_t idx, JsonReader& reader) {
  const std::string place = fmt::format("input[{}]", idx);
  JsonReader inner = reader.inside(item, place);
  std::optional<std::string> type = inner.text("type");
  if (!inner.ok()) return;
  if (!type) type = implied_type(item);
  if (!type) return inner.fail("type", fmt::format("{} has neither \"type\" nor \"role\"", place));
  item["type"] = *type;
  if (*type == "message") spread_content(item);
  if (has_status(*type)) item.emplace("status", "completed");
  const json::value* id = item.if_contains("id");
  if (*type != "item_reference" && (!id || !id->is_string())) item["id"] = input_item_id(id_prefix(*type), stem, idx);
}

}  // namespace

std::string response_id(std::string_view stem) {
  return fmt::format("resp_{}", stem);
}

std::string output_item_id(std::string_view prefix, std::string_view stem, size_t idx) {
  return item_id(prefix, stem, 'o', idx);
}

std::string input_item_id(std::string_view prefix, std::string_view stem, size_t idx) {
  return item_id(prefix, stem, 'i', idx);
}

std::optional<std::string> response_of_item(std::string_view id) {
  const size_t begin = id.find('_');
  if (begin == std::string_view::npos || id.size() < begin + 1 + kStemLength + 2) return std::nullopt;
  const char side = id[begin + 1 + kStemLength];
  if (side != 'o' && side != 'i') return std::nullopt;
  return response_id(id.substr(begin + 1, kStemLength));
}

json::array normalized_input(std::string_view stem, JsonReader& reader) {
  const json::value* input = reader.any("input");
  if (!input) return {};
  if (const json::string* text = input->if_string()) {
    json::object item{{"type", "message"}, {"role", "user"}, {"content", *text}};
    complete_item(item, stem, 0, reader);
    return json::array{std::move(item)};
  }
  const json::array* items = input->if_array();
  if (!items) {
    reader.fail("input", "\"input\" must be a text or a list of items");
    return {};
  }
  json::array normalized;
  normalized.reserve(items->size());
  for (size_t i = 0; i < items->size() && reader.ok(); ++i) {
    const json::object* object = (*items)[i].if_object();
    if (!object) {
      reader.fail(bad_request(fmt::format("input[{}]", i), fmt::format("input[{}] must be an object", i)));
      break;
    }
    json::object item = *object;
    complete_item(item, stem, i, reader);
    normalized.push_back(std::move(item));
  }
  return normalized;
}

std::vector<std::string> referenced_items(const json::array& items) {
  std::vector<std::string> ids;
  for (const json::value& item : items) {
    const json::value* type = find_member(item, "type");
    const json::value* id = find_member(item, "id");
    if (type && *type == "item_reference" && id && id->is_string()) ids.emplace_back(id->get_string());
  }
  return ids;
}

}  // namespace gossamer::server
