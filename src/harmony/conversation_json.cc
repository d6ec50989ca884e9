#include "harmony/conversation_json.h"

#include <utility>

namespace gossamer::harmony {
namespace {

// Readers take the value and where it stands ("messages[2].content[0].text"), which begins the sentence of every error.

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

Error wrong_kind(const std::string& where, const json::value& value, std::string_view wanted) {
  return make_error(ErrorCode::kInvalidInput, "{} is {}, it must be {}", where, kind_of(value), wanted);
}

Error missing(const std::string& where, std::string_view key) {
  return make_error(ErrorCode::kInvalidInput, "{} lacks \"{}\"", where, key);
}

Result<std::string> read_string(const json::value& value, const std::string& where) {
  if (const json::string* text = value.if_string()) return std::string(text->data(), text->size());
  return wrong_kind(where, value, "a string");
}

/// The member `key` where it is there and not null.
const json::value* present(const json::object& object, std::string_view key) {
  const json::value* member = object.if_contains(key);
  return member && !member->is_null() ? member : nullptr;
}

Result<std::string> read_string_member(const json::object& object, std::string_view key, const std::string& where) {
  const json::value* member = object.if_contains(key);
  if (!member) return missing(where, key);
  return read_string(*member, fmt::format("{}.{}", where, key));
}

Status read_optional_string(const json::object& object, std::string_view key, const std::string& where,
                            std::optional<std::string>& out) {
  if (const json::value* member = present(object, key)) {
    GOS_TRY(out, read_string(*member, fmt::format("{}.{}", where, key)));
  }
  return {};
}

Result<const json::array*> read_array_member(const json::object& object, std::string_view key,
                                             const std::string& where) {
  const json::value* member = object.if_contains(key);
  if (!member) return missing(where, key);
  if (const json::array* array = member->if_array()) return array;
  return wrong_kind(fmt::format("{}.{}", where, key), *member, "an array");
}

Result<ToolDescription> read_tool(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind(where, value, "an object");
  ToolDescription tool;
  GOS_TRY(tool.name, read_string_member(*object, "name", where));
  GOS_TRY(tool.description, read_string_member(*object, "description", where));
  if (const json::value* parameters = present(*object, "parameters")) tool.parameters = *parameters;
  return tool;
}

Result<ToolNamespace> read_namespace(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind(where, value, "an object");
  ToolNamespace group;
  GOS_TRY(group.name, read_string_member(*object, "name", where));
  GOS_TRY_STATUS(read_optional_string(*object, "description", where, group.description));
  GOS_TRY(const json::array* tools, read_array_member(*object, "tools", where));
  for (size_t i = 0; i < tools->size(); ++i) {
    GOS_TRY(ToolDescription tool, read_tool((*tools)[i], fmt::format("{}.tools[{}]", where, i)));
    group.tools.push_back(std::move(tool));
  }
  return group;
}

Result<ToolNamespaces> read_namespaces(const json::object& content, const std::string& where) {
  ToolNamespaces groups;
  const json::value* member = present(content, "tools");
  if (!member) return groups;
  const json::object* object = member->if_object();
  if (!object) return wrong_kind(where + ".tools", *member, "an object of namespaces");
  for (const auto& [key, value] : *object) {
    GOS_TRY(ToolNamespace group, read_namespace(value, fmt::format("{}.tools.{}", where, std::string_view(key))));
    groups.insert_or_assign(std::string(key), std::move(group));
  }
  return groups;
}

Result<ChannelConfig> read_channel_config(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind(where, value, "an object");
  ChannelConfig config;
  GOS_TRY(const json::array* channels, read_array_member(*object, "valid_channels", where));
  for (size_t i = 0; i < channels->size(); ++i) {
    GOS_TRY(std::string channel, read_string((*channels)[i], fmt::format("{}.valid_channels[{}]", where, i)));
    config.valid_channels.push_back(std::move(channel));
  }
  const json::value* required = object->if_contains("channel_required");
  if (!required) return missing(where, "channel_required");
  if (!required->is_bool()) return wrong_kind(where + ".channel_required", *required, "true or false");
  config.channel_required = required->get_bool();
  return config;
}

/// openai-harmony's JSON capitalises: "Low", "Medium", "High".
Result<ReasoningEffort> read_effort(const json::value& value, const std::string& where) {
  GOS_TRY(const std::string name, read_string(value, where));
  if (name == "Low") return ReasoningEffort::kLow;
  if (name == "Medium") return ReasoningEffort::kMedium;
  if (name == "High") return ReasoningEffort::kHigh;
  return make_error(ErrorCode::kInvalidInput, "{} is \"{}\", it must be \"Low\", \"Medium\" or \"High\"", where, name);
}

Result<SystemContent> read_system_content(const json::object& object, const std::string& where) {
  SystemContent content;
  GOS_TRY_STATUS(read_optional_string(object, "model_identity", where, content.model_identity));
  GOS_TRY_STATUS(read_optional_string(object, "conversation_start_date", where, content.conversation_start_date));
  GOS_TRY_STATUS(read_optional_string(object, "knowledge_cutoff", where, content.knowledge_cutoff));
  if (const json::value* effort = present(object, "reasoning_effort")) {
    GOS_TRY(content.reasoning_effort, read_effort(*effort, where + ".reasoning_effort"));
  }
  if (const json::value* config = present(object, "channel_config")) {
    GOS_TRY(content.channel_config, read_channel_config(*config, where + ".channel_config"));
  }
  GOS_TRY(content.tools, read_namespaces(object, where));
  return content;
}

Result<DeveloperContent> read_developer_content(const json::object& object, const std::string& where) {
  DeveloperContent content;
  GOS_TRY_STATUS(read_optional_string(object, "instructions", where, content.instructions));
  GOS_TRY(content.tools, read_namespaces(object, where));
  return content;
}

Result<Content> read_content(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind(where, value, "an object with a \"type\"");
  GOS_TRY(const std::string type, read_string_member(*object, "type", where));
  if (type == "text") {
    GOS_TRY(std::string text, read_string_member(*object, "text", where));
    return Content(TextContent{std::move(text)});
  }
  if (type == "system_content") {
    GOS_TRY(SystemContent content, read_system_content(*object, where));
    return Content(std::move(content));
  }
  if (type == "developer_content") {
    GOS_TRY(DeveloperContent content, read_developer_content(*object, where));
    return Content(std::move(content));
  }
  return make_error(ErrorCode::kInvalidInput,
                    "{}.type is \"{}\", it must be \"text\", \"system_content\" or \"developer_content\"", where, type);
}

Result<std::vector<Content>> read_contents(const json::value& value, const std::string& where) {
  std::vector<Content> contents;
  if (const json::string* text = value.if_string()) {
    contents.push_back(TextContent{std::string(text->data(), text->size())});
    return contents;
  }
  const json::array* array = value.if_array();
  if (!array) return wrong_kind(where, value, "a string or an array of contents");
  for (size_t i = 0; i < array->size(); ++i) {
    GOS_TRY(Content content, read_content((*array)[i], fmt::format("{}[{}]", where, i)));
    contents.push_back(std::move(content));
  }
  return contents;
}

Result<Message> read_message(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind(where, value, "an object");
  GOS_TRY(const std::string role_text, read_string_member(*object, "role", where));
  const std::optional<Role> role = role_from_name(role_text);
  if (!role) {
    return make_error(ErrorCode::kInvalidInput,
                      "{}.role is \"{}\", it must be \"user\", \"assistant\", \"system\", \"developer\" or \"tool\"",
                      where, role_text);
  }
  Message message;
  message.role = *role;
  const json::value* content = object->if_contains("content");
  if (!content) return missing(where, "content");
  GOS_TRY(message.contents, read_contents(*content, where + ".content"));
  GOS_TRY_STATUS(read_optional_string(*object, "name", where, message.name));
  GOS_TRY_STATUS(read_optional_string(*object, "channel", where, message.channel));
  GOS_TRY_STATUS(read_optional_string(*object, "recipient", where, message.recipient));
  GOS_TRY_STATUS(read_optional_string(*object, "content_type", where, message.content_type));
  return message;
}

void put(json::object& object, std::string_view key, const std::optional<std::string>& text) {
  if (text) object.emplace(key, *text);
}

json::object namespaces_to_json(const ToolNamespaces& groups) {
  json::object object;
  for (const auto& [key, group] : groups) {
    json::object written{{"name", group.name}};
    put(written, "description", group.description);
    json::array tools;
    for (const ToolDescription& tool : group.tools) {
      json::object described{{"name", tool.name}, {"description", tool.description}};
      if (tool.parameters) described.emplace("parameters", *tool.parameters);
      tools.push_back(std::move(described));
    }
    written.emplace("tools", std::move(tools));
    object.emplace(key, std::move(written));
  }
  return object;
}

json::object content_to_json(const TextContent& content) {
  return {{"type", "text"}, {"text", content.text}};
}

json::object content_to_json(const SystemContent& content) {
  json::object object{{"type", "system_content"}};
  put(object, "model_identity", content.model_identity);
  if (content.reasoning_effort) {
    std::string effort(effort_name(*content.reasoning_effort));
    effort.front() = static_cast<char>(effort.front() - 'a' + 'A');
    object.emplace("reasoning_effort", effort);
  }
  if (!content.tools.empty()) object.emplace("tools", namespaces_to_json(content.tools));
  put(object, "conversation_start_date", content.conversation_start_date);
  put(object, "knowledge_cutoff", content.knowledge_cutoff);
  if (content.channel_config) {
    const ChannelConfig& config = *content.channel_config;
    object.emplace(
        "channel_config",
        json::object{{"valid_channels", json::array(config.valid_channels.begin(), config.valid_channels.end())},
                     {"channel_required", config.channel_required}});
  }
  return object;
}

json::object content_to_json(const DeveloperContent& content) {
  json::object object{{"type", "developer_content"}};
  put(object, "instructions", content.instructions);
  if (!content.tools.empty()) object.emplace("tools", namespaces_to_json(content.tools));
  return object;
}

json::value contents_to_json(const std::vector<Content>& contents) {
  if (contents.size() == 1) {
    if (const auto* single = std::get_if<TextContent>(&contents.front())) return json::value(single->text);
  }
  json::array array;
  for (const Content& content : contents) {
    array.push_back(std::visit([](const auto& alternative) { return content_to_json(alternative); }, content));
  }
  return array;
}

}  // namespace

Result<Conversation> conversation_from_json(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return wrong_kind("the conversation", value, "an object with \"messages\"");
  GOS_TRY(const json::array* messages, read_array_member(*object, "messages", "the conversation"));
  Conversation conversation;
  for (size_t i = 0; i < messages->size(); ++i) {
    GOS_TRY(Message message, read_message((*messages)[i], fmt::format("messages[{}]", i)));
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

json::object message_to_json(const Message& message) {
  json::object object{{"role", role_name(message.role)}};
  put(object, "name", message.name);
  put(object, "recipient", message.recipient);
  object.emplace("content", contents_to_json(message.contents));
  put(object, "channel", message.channel);
  put(object, "content_type", message.content_type);
  return object;
}

}  // namespace gossamer::harmony
