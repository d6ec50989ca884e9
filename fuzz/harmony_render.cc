/// Any JSON text as a conversation: refused with a sentence, or rendered to tokens that the lenient parser takes back.

#include "base/check.h"
#include "harmony/conversation_json.h"
#include "harmony/json_text.h"
#include "harmony/render.h"
#include "harmony/stream_parser.h"

namespace {

using namespace gossamer;
using namespace gossamer::harmony;

void render_and_parse(const Conversation& conversation) {
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::o200k_harmony();
  const Result<std::vector<TokenId>> tokens = render_conversation(*tokenizer, conversation, {});
  if (!tokens.ok()) {
    GOS_CHECK(!tokens.error().message.empty());
    return;
  }
  StreamParser parser = StreamParser::create(tokenizer, std::nullopt, ParseMode::kLenient).value();
  for (TokenId token : *tokens) GOS_CHECK(parser.feed(token).ok());
  GOS_CHECK(parser.state() == ParserState::kExpectStart);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<json::value> value = parse_json_like_serde(text, "the input");
  if (!value.ok()) return 0;
  GOS_CHECK(parse_json_like_serde(compact_json(*value), "what was written").ok());
  const Result<Conversation> conversation = conversation_from_json(*value);
  if (!conversation.ok()) {
    GOS_CHECK(!conversation.error().message.empty());
    return 0;
  }
  render_and_parse(*conversation);
  json::array messages;
  for (const Message& message : conversation->messages) messages.push_back(message_to_json(message));
  GOS_CHECK(conversation_from_json(json::object{{"messages", std::move(messages)}}).ok());
  return 0;
}
