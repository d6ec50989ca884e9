#include "harmony/conforming_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "harmony/text_words.h"

namespace gossamer::harmony {
namespace {

// Mirrors openai-harmony 0.0.8 step by step: the quirks (a lone word is a recipient, text that spells <|channel|>
// counts as the token) are what the compatible modes are for.

constexpr std::string_view kChannel = "<|channel|>";
constexpr std::string_view kConstrain = "<|constrain|>";
constexpr std::string_view kRecipient = "to=";

/// Cuts "<|channel|>name" out of the text; the name ends at white space or '<'.
Result<std::optional<std::string>> take_channel(std::string& text) {
  const size_t marker = text.find(kChannel);
  if (marker == std::string::npos) return std::optional<std::string>();
  const std::string_view after = std::string_view(text).substr(marker + kChannel.size());
  std::string_view name = first_word(after);
  name = name.substr(0, name.find('<'));
  if (name.empty())
    return make_error(ErrorCode::kInvalidInput, "<|channel|> in a message header has no channel name behind it");
  std::optional<std::string> channel(name);
  text.erase(marker, kChannel.size() + name.size());
  return channel;
}

/// "to=f<|constrain|>json" -> "to=f <|constrain|>json".
std::string with_space_before_constrain(std::string_view text) {
  std::string out;
  for (size_t marker; (marker = text.find(kConstrain)) != std::string_view::npos;) {
    out.append(text.substr(0, marker)).append(" ").append(kConstrain);
    text.remove_prefix(marker + kConstrain.size());
  }
  return out.append(text);
}

/// Words by ASCII white space, which here is without \v (Rust's split_ascii_whitespace).
std::vector<std::string> ascii_words(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\f\r";
  std::vector<std::string> words;
  for (size_t at; (at = text.find_first_not_of(kSpace)) != std::string_view::npos;) {
    text.remove_prefix(at);
    words.emplace_back(text.substr(0, text.find_first_of(kSpace)));
    text.remove_prefix(words.back().size());
  }
  return words;
}

std::string without_prefix(const std::string& word) {
  return word.starts_with(kRecipient) ? word.substr(kRecipient.size()) : word;
}

/// The author from the first word. An unknown name with more behind it is a tool.
Status take_author(std::vector<std::string>& words, Message& message) {
  if (words.empty()) return make_error(ErrorCode::kInvalidInput, "a message header names no role");
  const std::string name = words.front();
  std::optional<Role> role = role_from_name(name);
  if (!role) {
    if (words.size() == 1 && !name.starts_with(kRecipient)) {
      return make_error(ErrorCode::kInvalidInput, "a message header names the unknown role \"{}\"", name);
    }
    words.erase(words.begin());
    role = Role::kTool;
  }
  message.role = *role;
  if (*role == Role::kTool) message.name = name;
  return {};
}

/// The last word is the recipient where it begins with "to=" or is the only one, else the content type, with the word
/// before it as recipient.
void take_routing(std::vector<std::string>& words, Message& message) {
  if (words.empty()) return;
  const bool only_one = words.size() == 1;
  const std::string last = std::move(words.back());
  words.pop_back();
  if (only_one || last.starts_with(kRecipient)) {
    message.recipient = without_prefix(last);
    return;
  }
  message.content_type = last;
  message.recipient = without_prefix(words.back());
  words.pop_back();
}

}  // namespace

Result<ConformingHeader> parse_conforming_header(std::string text, std::optional<Role> role, bool with_routing) {
  ConformingHeader header;
  GOS_TRY(header.message.channel, take_channel(text));
  std::vector<std::string> words = ascii_words(with_space_before_constrain(trim(text)));
  if (role) {
    header.message.role = *role;
  } else {
    GOS_TRY_STATUS(take_author(words, header.message));
  }
  if (!words.empty() && words.front() == role_name(header.message.role)) words.erase(words.begin());
  if (with_routing) take_routing(words, header.message);
  if (!words.empty()) header.rest = fmt::format("{}", fmt::join(words, " "));
  return header;
}

}  // namespace gossamer::harmony
