#pragma once

#include "base/json.h"
#include "base/result.h"
#include "harmony/conversation.h"

namespace gossamer::harmony {

/// From openai-harmony's JSON: {"messages": [{"role", "name"?, "content": text | [contents], "channel"?, "recipient"?,
/// "content_type"?}]}, contents being {"type": "text" | "system_content" | "developer_content", ...}. A null counts as
/// absent, unknown members are ignored. Errors: what openai-harmony refuses (the sentence names the place:
/// "messages[2].content").
Result<Conversation> conversation_from_json(const json::value& value);

/// To openai-harmony's JSON; absent fields are left out, a single text content is a plain string.
json::object message_to_json(const Message& message);

}  // namespace gossamer::harmony
