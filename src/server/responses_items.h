#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/chat_prompt.h"
#include "server/json_reader.h"

namespace gossamer::server {

/// What ids of one response have in common: "resp_STEM", and its items "msg_STEMo0" (output) or "msg_STEMi0" (input).
/// So the response that an item belongs to is known from the item's id.
std::string response_id(std::string_view stem);
std::string output_item_id(std::string_view prefix, std::string_view stem, size_t idx);
std::string input_item_id(std::string_view prefix, std::string_view stem, size_t idx);
/// "resp_STEM" from "rs_STEMo0"; nothing where it cannot be one of ours.
std::optional<std::string> response_of_item(std::string_view item_id);

/// "input" as a list of items, each an object with a "type" and, but for references, an "id". Problems: neither a text
/// nor a list of objects.
json::array normalized_input(std::string_view stem, JsonReader& reader);

/// Ids that {"type": "item_reference"} items name.
std::vector<std::string> referenced_items(const json::array& items);

/// An item and where it stands in the request, for errors.
struct PlacedItem {
  const json::object* item = nullptr;
  std::string place;
};

/// What items mean, as turns; several items can be one turn of the assistant.
struct ItemTurns {
  std::vector<ChatTurn> turns;
  std::vector<std::string> ignored_types;  ///< items of tools that this server does not have, each once
  uint32_t unread_reasoning = 0;           ///< items whose encrypted content is not of this server
  /// The call that the last of the items approves: the last turn makes it, and has no result yet.
  std::optional<ApprovedCall> approved;
};

/// `open_reasoning`: encrypted_content back to text; nothing where it is not ours. Calls of MCP servers that the client
/// was asked about are calls and results, as far as it has answered. Problems: types that are none, items without what
/// they need, an approval of this request that is not the last of the items, or of what nobody asked for.
ItemTurns turns_from_items(const std::vector<PlacedItem>& items,
                           const std::function<std::optional<std::string>(std::string_view)>& open_reasoning,
                           JsonReader& reader);

}  // namespace gossamer::server
