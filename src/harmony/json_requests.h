#pragma once
/// Rendering and parsing as JSON lines: what `gossamer render` and `gossamer parse` do with one line of input.

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "harmony/stream_parser.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::harmony {

/// {"conversation": {...}, "call"?: "completion" | "conversation" | "training", "next_role"?, "auto_drop_analysis"?} to
/// {"tokens": [ids], "text"}. Absent: completion, assistant, true; other members are ignored.
/// Errors: a malformed line, a conversation that cannot be rendered.
Result<json::object> render_json(const Tokenizer& tokenizer, std::string_view line);

/// {"tokens": [ids], "role"?: the author of the first message} to
/// {"steps": [[state, role, channel, recipient, content_type, delta, messages so far], ...], "messages": [...]}, one
/// step a token. Where a token cannot stand: also "error_at" (its index) and "error"; where the end cannot:
/// "eos_error". Errors: a malformed line.
Result<json::object> parse_json_tokens(std::shared_ptr<const Tokenizer> tokenizer, std::string_view line,
                                       ParseMode mode);

}  // namespace gossamer::harmony
