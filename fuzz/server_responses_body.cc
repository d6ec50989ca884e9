/// Any bytes as the body of POST /v1/responses: refused with a sentence that names the field, or understood, all the
/// way to the conversation. And as a log of a stored response: whatever it holds, a response comes of it.

#include "base/check.h"
#include "base/utf8.h"
#include "harmony/json_text.h"
#include "server/chat_prompt.h"
#include "server/responses_items.h"
#include "server/responses_log.h"
#include "server/responses_request.h"
#include "server/responses_seal.h"
#include "server/scripted_engine.h"

using namespace gossamer;
using namespace gossamer::server;

namespace {

std::shared_ptr<ServedModel> scripted_model() {
  ServedModelParts parts;
  parts.names = ModelNames::of("gpt-oss-20b", {});
  parts.tokenizer = Tokenizer::o200k_harmony();
  Script script;
  script.answers.emplace_back();
  parts.source = std::make_unique<ScriptedEngine>(std::move(script));
  return std::move(*ServedModel::create(std::move(parts)));
}

void check_problem(const JsonReader& reader) {
  if (reader.ok()) return;
  GOS_CHECK(!reader.problem()->message.empty() && reader.problem()->message.size() < 4096);
  const http::Response response = error_response(*reader.problem(), ErrorStyle::kOpenAi);
  GOS_CHECK(utf8_valid(response.body) && parse_json(response.body, "the error").ok());
}

void read_body(const json::object& body, const ServedModel& model) {
  static const ReasoningSeal seal(ReasoningSeal::Key{});
  JsonReader reader(body);
  ResponsesRequest request = read_responses_request(reader, model, "abcdefghijklmnopqrstuvwx");
  check_problem(reader);
  if (!reader.ok()) return;
  GOS_CHECK(request.limits.sampling.validate().ok());
  GOS_CHECK(utf8_valid(harmony::compact_json(request.echo)));
  for (const std::string& id : referenced_items(request.input)) (void)response_of_item(id);
  std::vector<PlacedItem> items;
  for (const json::value& item : request.input)
    if (*find_member(item, "type") != "item_reference") items.push_back({&item.get_object(), "input"});
  ItemTurns read = turns_from_items(items, [&](std::string_view sealed) { return seal.open(sealed, 0); }, reader);
  const ChatPrompt prompt{request.instructions, std::move(read.turns), request.tools.functions, request.effort,
                          request.format};
  (void)make_conversation(prompt, "2025-06-28", reader);
  check_problem(reader);
}

void replay_log(std::string_view log) {
  ResponsesWriterOptions options;
  options.stem = "abcdefghijklmnopqrstuvwx";
  options.tool_kinds = {{"note", ResponsesToolKind::kCustom}, {"apply_patch", ResponsesToolKind::kApplyPatch}};
  ResponsesWriter writer(std::move(options), [](std::string_view, uint64_t, const std::string& text) {
    GOS_CHECK(parse_json(text, "the event").ok());
  });
  replay(log, writer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<ServedModel> model = scripted_model();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  replay_log(text);
  const Result<json::value> body = harmony::parse_json_like_serde(text, "the body");
  if (body.ok() && body->is_object()) read_body(body->get_object(), *model);
  return 0;
}
