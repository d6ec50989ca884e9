/// Any ids through the stream parser, in every mode: nothing crashes, lenient never fails, all text that comes out is
/// well-formed and its deltas join to the messages.

#include "base/check.h"
#include "base/utf8.h"
#include "harmony/stream_parser.h"

namespace {

using namespace gossamer;
using namespace gossamer::harmony;

/// Two bytes a token: half of them frame tokens and reserved ids, the others text, the last ones ids that nobody named.
TokenId token_of(uint8_t high, uint8_t low) {
  if (high < 128) return 199998 + low % 24;
  if (high == 255) return 0xFFFFFFFFu - low;
  return static_cast<TokenId>(high - 128) * 1600 + low;
}

void parse(const std::vector<TokenId>& tokens, std::optional<Role> role, ParseMode mode) {
  StreamParser parser = StreamParser::create(Tokenizer::o200k_harmony(), role, mode).value();
  std::vector<std::string> texts;
  const auto collect = [&] {
    for (const TextDelta& delta : parser.deltas()) {
      GOS_CHECK(utf8_valid(delta.text));
      texts.resize(std::max(texts.size(), delta.message_idx + 1));
      texts[delta.message_idx] += delta.text;
    }
  };
  bool ok = true;
  for (TokenId token : tokens) {
    ok = parser.feed(token).ok();
    if (!ok) break;
    collect();
  }
  if (ok) ok = parser.finish().ok();
  GOS_CHECK(ok || mode != ParseMode::kLenient);
  if (!ok) return;
  collect();
  texts.resize(std::max(texts.size(), parser.messages().size()));
  GOS_CHECK(texts.size() == parser.messages().size());
  for (size_t i = 0; i < texts.size(); ++i) GOS_CHECK(texts[i] == parser.messages()[i].text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr Role kRoles[] = {Role::kUser, Role::kAssistant, Role::kSystem, Role::kDeveloper, Role::kTool};
  const size_t choice = data[0] % 6;
  const std::optional<Role> role = choice < 5 ? std::optional(kRoles[choice]) : std::nullopt;
  std::vector<TokenId> tokens;
  for (size_t i = 1; i + 1 < size; i += 2) tokens.push_back(token_of(data[i], data[i + 1]));
  for (ParseMode mode : {ParseMode::kStrict, ParseMode::kCompatible, ParseMode::kLenient}) parse(tokens, role, mode);
  return 0;
}
