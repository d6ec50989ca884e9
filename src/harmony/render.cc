#include "harmony/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "harmony/frame_tokens.h"
#include "harmony/tool_schema.h"

namespace gossamer::harmony {
namespace {

constexpr std::string_view kConstrain = "<|constrain|>";

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

bool has_function_tools(const Conversation& conversation) {
  for (const Message& message : conversation.messages) {
    for (const Content& content : message.contents) {
      const auto* developer = std::get_if<DeveloperContent>(&content);
      if (!developer) continue;
      const auto functions = developer->tools.find("functions");
      if (functions != developer->tools.end() && !functions->second.tools.empty()) return true;
    }
  }
  return false;
}

/// The lines on channels; calls to functions are explained only where a developer message brings functions.
std::string channels_section(const ChannelConfig& config, bool with_functions) {
  std::string text = fmt::format("# Valid channels: {}.", join(config.valid_channels, ", "));
  if (config.channel_required) text += " Channel must be included for every message.";
  if (with_functions) text += "\nCalls to these tools must go to the commentary channel: 'functions'.";
  return text;
}

std::string system_text(const SystemContent& content, bool with_functions) {
  std::vector<std::string> facts;
  if (content.model_identity) facts.push_back(*content.model_identity);
  if (content.knowledge_cutoff) facts.push_back("Knowledge cutoff: " + *content.knowledge_cutoff);
  if (content.conversation_start_date) facts.push_back("Current date: " + *content.conversation_start_date);

  std::vector<std::string> sections;
  if (!facts.empty()) sections.push_back(join(facts, "\n"));
  if (content.reasoning_effort)
    sections.push_back(fmt::format("Reasoning: {}", effort_name(*content.reasoning_effort)));
  if (!content.tools.empty()) sections.push_back(tools_section(content.tools));
  if (content.channel_config && !content.channel_config->valid_channels.empty()) {
    sections.push_back(channels_section(*content.channel_config, with_functions));
  }
  return join(sections, "\n\n");
}

std::string developer_text(const DeveloperContent& content) {
  std::vector<std::string> sections;
  if (content.instructions) sections.push_back("# Instructions\n\n" + *content.instructions);
  if (!content.tools.empty()) sections.push_back(tools_section(content.tools));
  return join(sections, "\n\n");
}

/// Appends messages to a token sequence. Each piece of a header and each content is encoded on its own, as
/// openai-harmony does: what is encoded together decides how bytes merge into tokens.
class Renderer {
 public:
  Renderer(const Tokenizer& tokenizer, const FrameTokens& frame, bool with_functions)
      : tokenizer_(tokenizer), frame_(frame), with_functions_(with_functions) {}

  Status append(const Message& message) {
    tokens_.push_back(frame_.start);
    GOS_TRY_STATUS(append_author(message));
    append_routing(message);
    tokens_.push_back(frame_.message);
    for (const Content& content : message.contents) GOS_TRY_STATUS(append_content(message.role, content));
    const bool is_call = message.role == Role::kAssistant && message.recipient;
    tokens_.push_back(is_call ? frame_.call : frame_.end);
    return {};
  }

  void append_start(Role role) {
    tokens_.push_back(frame_.start);
    append_text(role_name(role));
  }

  void end_turn() { tokens_.back() = frame_.ret; }

  std::vector<TokenId> release() { return std::move(tokens_); }

 private:
  void append_text(std::string_view text) { tokenizer_.encode(text, tokens_); }

  Status append_author(const Message& message) {
    if (message.role == Role::kTool) {
      if (!message.name) {
        return make_error(ErrorCode::kInvalidInput,
                          "a tool message has no name: it renders as its author, such as \"functions.get_weather\"");
      }
      append_text(*message.name);
      return {};
    }
    append_text(role_name(message.role));
    if (message.name) append_text(":" + *message.name);
    return {};
  }

  void append_routing(const Message& message) {
    if (message.recipient && *message.recipient != "all") append_text(" to=" + *message.recipient);
    if (message.channel) {
      tokens_.push_back(frame_.channel);
      append_text(*message.channel);
    }
    if (!message.content_type) return;
    if (!message.content_type->starts_with(kConstrain)) return append_text(" " + *message.content_type);
    append_text(" ");
    tokens_.push_back(frame_.constrain);
    append_text(std::string_view(*message.content_type).substr(kConstrain.size()));
  }

  Status append_content(Role role, const Content& content) {
    if (const auto* text = std::get_if<TextContent>(&content)) {
      append_text(text->text);
      return {};
    }
    const bool is_system = std::holds_alternative<SystemContent>(content);
    if (role != (is_system ? Role::kSystem : Role::kDeveloper)) {
      return make_error(ErrorCode::kInvalidInput,
                        "{} content stands in a message of role {}, it may only stand in a {} message",
                        is_system ? "system" : "developer", role_name(role), is_system ? "system" : "developer");
    }
    append_text(is_system ? system_text(std::get<SystemContent>(content), with_functions_)
                          : developer_text(std::get<DeveloperContent>(content)));
    return {};
  }

  const Tokenizer& tokenizer_;
  const FrameTokens& frame_;
  const bool with_functions_;
  std::vector<TokenId> tokens_;
};

/// Messages before this index lose their analysis.
size_t first_kept_analysis(const Conversation& conversation, const RenderOptions& options) {
  const auto is_final = [](const Message& message) { return message.channel == "final"; };
  const auto& messages = conversation.messages;
  const auto last_assistant =
      std::find_if(messages.rbegin(), messages.rend(), [](const Message& m) { return m.role == Role::kAssistant; });
  if (!options.auto_drop_analysis || last_assistant == messages.rend() || !is_final(*last_assistant)) return 0;
  return static_cast<size_t>(std::find_if(messages.begin(), messages.end(), is_final) - messages.begin());
}

/// Renders the messages into a Renderer and lets `finish` add what comes after them.
template <class Finish>
Result<std::vector<TokenId>> render(const Tokenizer& tokenizer, const Conversation& conversation,
                                    const RenderOptions& options, Finish&& finish) {
  GOS_TRY(const FrameTokens frame, FrameTokens::from(tokenizer));
  Renderer renderer(tokenizer, frame, has_function_tools(conversation));
  const size_t kept_from = first_kept_analysis(conversation, options);
  for (size_t i = 0; i < conversation.messages.size(); ++i) {
    const Message& message = conversation.messages[i];
    if (i < kept_from && message.channel == "analysis") continue;
    GOS_TRY_STATUS(renderer.append(message));
  }
  finish(renderer);
  return renderer.release();
}

}  // namespace

Result<std::vector<TokenId>> render_conversation(const Tokenizer& tokenizer, const Conversation& conversation,
                                                 const RenderOptions& options) {
  return render(tokenizer, conversation, options, [](Renderer&) {});
}

Result<std::vector<TokenId>> render_for_completion(const Tokenizer& tokenizer, const Conversation& conversation,
                                                   Role next_role, const RenderOptions& options) {
  return render(tokenizer, conversation, options, [&](Renderer& renderer) { renderer.append_start(next_role); });
}

Result<std::vector<TokenId>> render_for_training(const Tokenizer& tokenizer, const Conversation& conversation,
                                                 const RenderOptions& options) {
  return render(tokenizer, conversation, options, [&](Renderer& renderer) {
    const bool is_answered = !conversation.messages.empty() && conversation.messages.back().role == Role::kAssistant &&
                             conversation.messages.back().channel == "final";
    if (is_answered) renderer.end_turn();
  });
}

}  // namespace gossamer::harmony
