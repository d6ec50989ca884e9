#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "harmony/conversation.h"

namespace gossamer::harmony {

/// A header as openai-harmony reads it.
struct ConformingHeader {
  Message message;                  ///< without contents
  std::optional<std::string> rest;  ///< words that are none of it, joined by single spaces
};

/// Reads the decoded text of a header, special tokens spelled out. `role`: given from outside, then the text need not
/// name one. `with_routing`: the last words are recipient and content type; false: they all go to `rest`. Errors: no
/// role, an unknown role with nothing behind it, <|channel|> without a name.
Result<ConformingHeader> parse_conforming_header(std::string text, std::optional<Role> role, bool with_routing);

}  // namespace gossamer::harmony
