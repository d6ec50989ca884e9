#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/responses_writer.h"

namespace gossamer::server {

/// An event as it goes out: its name, and its JSON.
using WrittenEvent = std::pair<std::string, std::string>;

/// What is wrong with a whole stream of the Responses API: the first broken rule, with its event; empty: nothing. The
/// rules are those that clients rely on (openai's stream helper, Codex, the AI SDK): see docs/server.md.
std::string broken_rule(const std::vector<WrittenEvent>& events);

/// The events of server-sent text; lines that are neither event nor data are passed over.
std::vector<WrittenEvent> events_of_sse(std::string_view text);

}  // namespace gossamer::server
