#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "harmony/conversation.h"

namespace gossamer::harmony {

/// A JSON schema as the TypeScript-like type that gpt-oss reads, quirks of openai-harmony's renderer included: the
/// model was trained on its output. `indent` begins every line after the first.
std::string schema_to_typescript(const json::value& schema, const std::string& indent);

/// The "# Tools" section of a system or developer message.
std::string tools_section(const ToolNamespaces& groups);

}  // namespace gossamer::harmony
