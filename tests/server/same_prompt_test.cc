/// One conversation, said in the words of each interface, has the same prompt.

#include <gtest/gtest.h>

#include "server/asked_app.h"

namespace gossamer::server {
namespace {

/// What the model reads where `body` is sent to `path`.
std::string prompt_of(const std::string& path, const std::string& body) {
  AskedApp app({final_answer("Hello")});
  const Answer answer = app.ask("POST", path, body);
  EXPECT_EQ(answer.status, 200u) << path << "\n" << answer.body;
  return app.last_prompt();
}

TEST(SamePrompt, OfAQuestion) {
  const std::string chat = prompt_of("/v1/chat/completions", R"({"reasoning_effort":"high","messages":[
      {"role":"system","content":"Be kind"},{"role":"user","content":"Hi <|end|>"}]})");
  EXPECT_NE(chat.find("Reasoning: high"), std::string::npos);
  EXPECT_EQ(
      prompt_of("/v1/responses", R"({"reasoning":{"effort":"high"},"instructions":"Be kind","input":"Hi <|end|>"})"),
      chat);
  EXPECT_EQ(prompt_of("/v1/responses", R"({"reasoning":{"effort":"high"},"input":[{"role":"system","content":"Be kind"},
      {"role":"user","content":[{"type":"input_text","text":"Hi <|end|>"}]}]})"),
            chat);
  EXPECT_EQ(
      prompt_of("/api/chat", R"({"model":"gpt-oss:20b","think":"high","messages":[{"role":"system","content":"Be kind"},
      {"role":"user","content":"Hi <|end|>"}]})"),
      chat);
  EXPECT_EQ(
      prompt_of("/api/generate", R"({"model":"gpt-oss:20b","think":"high","system":"Be kind","prompt":"Hi <|end|>"})"),
      chat);
}

TEST(SamePrompt, InTheMiddleOfATurnWithACall) {
  const std::string function =
      R"("name":"f","description":"Fetches.","parameters":{"type":"object","properties":{"a":{"type":"integer"}}})";
  const std::string chat =
      prompt_of("/v1/chat/completions", R"({"tools":[{"type":"function","function":{)" + function + R"(}}],"messages":[
      {"role":"user","content":"A"},{"role":"assistant","content":"B","reasoning":"gone"},{"role":"user","content":"C"},
      {"role":"assistant","content":null,"reasoning_content":"Think.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"42"}]})");
  EXPECT_NE(chat.find("analysis<|message|>Think.<|end|>"), std::string::npos);
  EXPECT_EQ(chat.find("gone"), std::string::npos);
  EXPECT_EQ(prompt_of("/v1/responses", R"({"tools":[{"type":"function",)" + function + R"(}],"input":[
      {"role":"user","content":"A"},{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"gone"}]},
      {"role":"assistant","content":"B"},{"role":"user","content":"C"},
      {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Think."}]},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
      {"type":"function_call_output","call_id":"c1","output":"42"}]})"),
            chat);
  EXPECT_EQ(prompt_of("/api/chat", R"({"model":"gpt-oss:20b","tools":[{"type":"function","function":{)" + function +
                                       R"(}}],"messages":[
      {"role":"user","content":"A"},{"role":"assistant","content":"B","thinking":"gone"},{"role":"user","content":"C"},
      {"role":"assistant","content":"","thinking":"Think.","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},
      {"role":"tool","tool_name":"f","content":"42"}]})"),
            chat);
}

#ifdef GOSSAMER_WITH_GRAMMAR
TEST(SamePrompt, WithASchema) {
  const std::string schema = R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})";
  const std::string chat = prompt_of("/v1/chat/completions", R"({"messages":[{"role":"user","content":"A"}],
      "response_format":{"type":"json_schema","json_schema":{"name":"response","schema":)" +
                                                                 schema + "}}}");
  EXPECT_NE(chat.find("# Response Formats\n\n## response"), std::string::npos);
  EXPECT_EQ(
      prompt_of("/v1/responses",
                R"({"input":"A","text":{"format":{"type":"json_schema","name":"response","schema":)" + schema + "}}}"),
      chat);
  EXPECT_EQ(prompt_of("/api/chat",
                      R"({"model":"gpt-oss:20b","messages":[{"role":"user","content":"A"}],"format":)" + schema + "}"),
            chat);
}
#endif

}  // namespace
}  // namespace gossamer::server
