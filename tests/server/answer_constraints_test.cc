/// What requests hold their answers to: texts of harmony that are legal under them, and texts that are not.

#include "server/answer_constraints.h"

#include <gtest/gtest.h>

#include "server/asked_app.h"
#include "server/chat_request.h"
#include "server/completion_request.h"
#include "server/fake_tool.h"
#include "server/test_app.h"

#ifdef GOSSAMER_WITH_GRAMMAR

namespace gossamer::server {
namespace {

/// How far a text gets: "whole" where it is an answer, "begun" where more must follow, else what cannot stand where it
/// stands.
std::string how_far(const TokenConstraint& prototype, const Tokenizer& tokenizer, const std::string& text) {
  const std::unique_ptr<TokenConstraint> constraint = prototype.clone();
  std::vector<TokenId> tokens;
  tokenizer.encode_with_specials(text, tokens);
  for (const TokenId token : tokens) {
    const Result<const TokenMask*> mask = constraint->allowed();
    if (!mask.ok()) return mask.error().message;
    const bool is_allowed = (*mask)->allows(token);
    EXPECT_EQ(constraint->accept(token).ok(), is_allowed);
    if (!is_allowed) return "not \"" + std::string(tokenizer.token_bytes(token)) + "\"";
  }
  return constraint->must_end() || constraint->may_end() ? "whole" : "begun";
}

std::string call_of(const std::string& function, const std::string& arguments) {
  return function_call(function, arguments);
}

constexpr const char* kTools =
    R"("tools": [
      {"type": "function", "function": {"name": "strict", "strict": true, "parameters": {"type": "object",
        "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}}},
      {"type": "function", "function": {"name": "lax", "strict": false, "parameters": {"type": "object",
        "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}}},
      {"type": "function", "function": {"name": "usual", "parameters": {"type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}, "c": {"const": 1}}, "required": ["a"],
        "additionalProperties": false}}},
      {"type": "function", "function": {"name": "odd", "parameters": {"type": "object", "not": {"required": ["a"]}}}},
      {"type": "function", "function": {"name": "bare", "strict": true}}])";
constexpr const char* kBooleanSchema =
    R"({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false})";

std::string schema_in(const std::string& before, const std::string& after) {
  return before + kBooleanSchema + after;
}

struct Row {
  std::string fields;
  std::vector<std::string> legal, illegal;
};

std::vector<Row> chat_rows() {
  const std::string preamble = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant";
  const std::string yes = final_answer(R"({"a":true})"), no = final_answer("Hello");
  const std::string strict = call_of("strict", R"({"a": false})"), lax = call_of("lax", R"({"b": [1, "x"]})");
  const std::string tools = kTools;
  return {
      {"", {no, thought("Hm.") + no, preamble + no}, {strict, "Hello", thought("Hm.") + "Hello"}},
      {tools,
       {no, strict, lax, thought("Hm.") + strict, preamble + lax, call_of("bare", "{}")},
       {call_of("strict", R"({"a": 1})"), call_of("lax", "Hello"), call_of("lax", "[1]"), call_of("other", "{}"),
        call_of("bare", "1")}},
      {tools,  // without a word on "strict": the schema, its optional properties in any order, where it can be enforced
       {call_of("usual", R"({"a": true})"), call_of("usual", R"({"a": true, "c": 1, "b": null})"),
        call_of("odd", "{}")},
       {call_of("usual", "{}"), call_of("usual", R"({"a": 1})"), call_of("usual", R"({"d": 1})"), call_of("odd", "1")}},
      {tools + R"(, "tool_choice": {"type": "function", "function": {"name": "usual"}})",
       {call_of("usual", R"({"a": false})")},
       {call_of("usual", "{}"), no}},
      {tools + R"(, "tool_choice": "none")", {no}, {strict, lax}},
      {tools + R"(, "tool_choice": "required")", {strict, preamble + lax, thought("Hm.") + lax}, {no}},
      {tools + R"(, "tool_choice": {"type": "function", "function": {"name": "lax"}})", {lax}, {no, strict}},
      {tools + R"(, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
         {"type": "function", "function": {"name": "lax"}}, {"type": "function", "function": {"name": "lax"}}]}})",
       {no, lax},
       {strict}},
      {tools + R"(, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
         {"type": "function", "function": {"name": "strict"}}]}})",
       {strict},
       {no, lax}},
      {schema_in(R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": )", "}}"),
       {yes, thought("Free text.") + yes},
       {no, final_answer(R"({"a":1})"), preamble + yes}},
      {schema_in(R"("response_format": {"type": "json_schema", "json_schema": {"schema": )", "}}, ") + tools,
       {yes, strict},
       {no, call_of("strict", "{}")}},
      {R"("response_format": {"type": "json_object"})",
       {yes, final_answer(R"({"b": null})")},
       {no, final_answer("[1]")}},
      {R"("response_format": {"type": "text"})", {no}, {}},
      {R"("regex": "[a-c]+[0-9]")", {final_answer("abc1")}, {no, final_answer("abc")}},
      {R"("guided_regex": "[a-c]+[0-9]")", {final_answer("abc1")}, {no}},
      {R"("guided_choice": ["yes", "no"])", {final_answer("no")}, {final_answer("not"), no}},
      {R"("choice": ["yes", "no"])", {final_answer("yes")}, {no}},
      {R"("guided_grammar": "start: \"a\"+")", {final_answer("aaa")}, {no}},
      {R"("guided_grammar": "root ::= \"a\"+")", {final_answer("aaa")}, {no}},
      {R"("ebnf": "root ::= [0-9]")", {final_answer("7")}, {no}},
      {schema_in(R"("guided_json": )", ""), {yes}, {no}},
      {R"("guided_json": "{\"const\": 5}")", {final_answer("5")}, {no}},
      {R"("json_schema": "{\"const\": 5}")", {final_answer("5")}, {no}},
      {schema_in(R"("structured_outputs": {"json": )", "}"), {yes}, {no}},
      {R"("structured_outputs": {"choice": ["yes"]})", {final_answer("yes")}, {no}},
      {R"("structured_outputs": {"json_object": true})", {yes}, {no}},
      {R"("reasoning_budget": 0)", {no}, {thought("Hm.") + no}},
      {R"("thinking_budget": 1)", {no, thought("Hm") + no}, {thought("Hm Hm") + no}},
      {R"("reasoning": {"max_tokens": 0, "effort": "low"})", {no}, {thought("Hm.") + no}},
      {R"("thinking_token_budget": -1)", {thought("Hm Hm Hm") + no}, {}},
      {R"("min_tokens": 9)",
       {"<|channel|>final<|message|>Hello<|end|><|start|>assistant" + final_answer("More and more.")},
       {no}},
  };
}

TEST(AnswerConstraints, OfChats) {
  TestApp app({"x"});
  const ServedModel& model = app.model();
  for (const Row& row : chat_rows()) {
    SCOPED_TRACE(row.fields);
    const std::string comma = row.fields.empty() ? "" : ", ";
    const Result<json::value> body =
        parse_json(R"({"messages": [{"role": "user", "content": "x"}])" + comma + row.fields + "}", "the row");
    ASSERT_TRUE(body.ok()) << body.error().message;
    JsonReader reader(body->get_object());
    const ChatCompletion chat = read_chat_completion(reader, model);
    ASSERT_TRUE(reader.ok()) << reader.problem()->message;
    const HeldTo held = model.constraints().make(chat.request);
    ASSERT_FALSE(held.error) << held.error->message;
    EXPECT_TRUE(model.constraints().find(chat.request)) << "it is compiled now";
    for (const std::string& text : row.legal)
      EXPECT_EQ(how_far(*held.constraint, *model.tokenizer(), text), "whole") << text;
    for (const std::string& text : row.illegal)
      EXPECT_TRUE(how_far(*held.constraint, *model.tokenizer(), text).starts_with("not ")) << text;
  }
}

TEST(AnswerConstraints, OfCompletions) {
  TestApp app({"x"});
  const ServedModel& model = app.model();
  const Row rows[] = {
      {R"("guided_choice": ["yes", "no"])", {"yes", "no"}, {"maybe", "<|channel|>"}},
      {schema_in(R"("guided_json": )", ""), {R"({"a": true})"}, {"Hello"}},
      {R"("response_format": {"type": "json_object"})", {"{}"}, {"Hello"}},
  };
  for (const Row& row : rows) {
    const Result<json::value> body = parse_json(R"({"prompt": "x", )" + row.fields + "}", "the row");
    JsonReader reader(body->get_object());
    const Completion completion = read_completion(reader, model);
    ASSERT_TRUE(reader.ok()) << reader.problem()->message;
    const HeldTo held = model.constraints().make(completion.requests[0]);
    ASSERT_TRUE(held.constraint) << row.fields;
    for (const std::string& text : row.legal)
      EXPECT_EQ(how_far(*held.constraint, *model.tokenizer(), text), "whole") << text;
    for (const std::string& text : row.illegal)
      EXPECT_TRUE(how_far(*held.constraint, *model.tokenizer(), text).starts_with("not ")) << text;
  }
  EXPECT_FALSE(model.constraints().make(CompletionRequest()).constraint) << "free unless it asks";
}

/// Responses and Ollama hold their answers to the same.
TEST(AnswerConstraints, OfResponsesAndOllama) {
  AskedApp app({final_answer("x")});
  const std::string yes = final_answer(R"({"a":true})"), no = final_answer("Hello");
  const struct {
    std::string target, body;
    std::vector<std::string> legal, illegal;
  } rows[] = {
      {"/v1/responses", R"({"input": "x"})", {no, thought("Hm.") + no}, {yes + no}},
      {"/v1/responses",
       schema_in(R"({"input": "x", "text": {"format": {"type": "json_schema", "name": "x", "schema": )", "}}}"),
       {yes},
       {no}},
      {"/v1/responses", R"({"input": "x", "reasoning": {"max_tokens": 0}})", {no}, {thought("Hm.") + no}},
      {"/v1/responses",
       schema_in(R"({"input": "x", "tools": [{"type": "custom", "name": "free"}, {"type": "apply_patch"},
         {"type": "function", "name": "f", "strict": true, "parameters": )",
                 "}]}"),
       {call_of("free", R"({"input": "anything"})"), call_of("f", R"({"a":true})"),
        call_of("apply_patch", R"({"type": "delete_file", "path": "x"})")},
       {call_of("free", "anything"), call_of("f", "{}"), call_of("apply_patch", R"({"path": "x"})")}},
      {"/v1/responses",
       R"({"input": "x", "tool_choice": "required", "tools": [{"type": "function", "name": "f"}]})",
       {call_of("f", "{}")},
       {no}},
      {"/v1/responses",
       R"({"input": "x", "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}],
           "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]}})",
       {no, call_of("g", "{}")},
       {call_of("f", "{}")}},
      {"/v1/responses",
       R"({"input": "x", "tools": [
         {"type": "custom", "name": "abc", "format": {"type": "grammar", "syntax": "regex", "definition": "^[a-c]+$"}},
         {"type": "custom", "name": "xes", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x+/"}},
         {"type": "custom", "name": "free", "format": {"type": "text"}}]})",
       {no, call_of("abc", "abcabc"), call_of("xes", "xx"), call_of("free", R"({"input": "anything"})")},
       {call_of("abc", "abd"), call_of("abc", R"({"input": "abc"})"), call_of("xes", "xyx"), call_of("free", "abc")}},
      {"/api/chat",
       schema_in(R"({"model": "gpt-oss-20b", "messages": [{"role": "user", "content": "x"}], "format": )", "}"),
       {yes},
       {no}},
      {"/api/generate", R"({"model": "gpt-oss-20b", "prompt": "x", "format": "json"})", {final_answer("{}")}, {no}},
      {"/api/chat",
       R"({"model": "gpt-oss-20b", "messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function",
         "function": {"name": "f", "parameters": {"type": "object"}}}]})",
       {no, call_of("f", "{}")},
       {call_of("g", "{}"), call_of("f", "x")}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.body);
    const Answer answer = app.ask("POST", row.target, row.body);
    ASSERT_EQ(answer.status, 200u) << answer.body;
    const std::shared_ptr<const TokenConstraint> constraint = app.last_constraint();
    ASSERT_TRUE(constraint);
    for (const std::string& text : row.legal)
      EXPECT_EQ(how_far(*constraint, *app.model()->tokenizer(), text), "whole") << text;
    for (const std::string& text : row.illegal)
      EXPECT_TRUE(how_far(*constraint, *app.model()->tokenizer(), text).starts_with("not ")) << text;
  }
}

TEST(AnswerConstraints, GrammarsOfCustomToolsAreUsableOrRefused) {
  AskedApp app({final_answer("x")});
  const struct {
    const char *format, *param;
  } rows[] = {
      {R"({"type": "grammar", "syntax": "regex", "definition": "("})", "tools[0].format.definition"},
      {R"({"type": "grammar", "syntax": "regex"})", "tools[0].format.definition"},
      {R"({"type": "grammar", "syntax": "lark", "definition": "start: nowhere"})", "tools[0].format.definition"},
      {R"({"type": "grammar", "syntax": "gbnf", "definition": "root ::= [0-9]"})", "tools[0].format.syntax"},
      {R"({"type": "picture"})", "tools[0].format.type"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.format);
    const Answer answer = app.ask(
        "POST", "/v1/responses",
        fmt::format(R"({{"input": "x", "tools": [{{"type": "custom", "name": "c", "format": {}}}]}})", row.format));
    ASSERT_EQ(answer.status, 400u) << answer.body;
    EXPECT_EQ(answer.json().at("error").at("param"), row.param);
  }
}

std::string server_call_of(const std::string& recipient, const std::string& arguments) {
  return "<|channel|>commentary to=" + recipient + " <|constrain|>json<|message|>" + arguments + "<|call|>";
}

/// Of the server's own tools too; no schema of an operator's tool refuses anybody's request.
TEST(AnswerConstraints, OfToolsOfTheServer) {
  const FakeTool::Give nothing = [](std::string_view, const tools::Cancellation&) { return tools::ToolResult(); };
  const auto schema = [](const char* text) { return *parse_json(text, "the schema"); };
  harmony::ToolNamespace files{
      "files",
      std::nullopt,
      {{"read", "", schema(R"({"type": "object", "properties": {"path": {"type": "string"}, "head": {"type": "integer"},
          "tail": {"type": "integer"}}, "required": ["path"], "additionalProperties": false})")},
       {"refers", "", schema(R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref":
          "#/properties/a"}}, "additionalProperties": false})")},
       {"unknown", "", schema(R"({"type": "object", "properties": {"a": {"not": {"type": "string"}}}})")},
       {"impossible", "", schema(R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 5, "maximum":
          1}}, "required": ["a"]})")},
       {"bare", "", {}}}};
  AskedApp app({final_answer("x")}, {},
               with_tools({fake_python(nothing), fake_browser(nothing),
                           std::make_shared<FakeTool>(tools::Tool::Kind::kMcp, std::move(files), nothing)}));
  const std::vector<std::string> legal = {
      "<|channel|>analysis to=python code<|message|>print(1)<|call|>",
      server_call_of("browser.search", R"({"query": "x", "source": "y", "topn": 3})"),
      server_call_of("browser.open", R"({"cursor": 1, "id": "https://a.b", "num_lines": 4})"),
      server_call_of("browser.open", R"({"id": 7, "cursor": 1})"),
      server_call_of("browser.open", "{}"),
      server_call_of("files.read", R"({"path": "a", "tail": 1, "head": 2})"),
      server_call_of("files.refers", R"({"a": 1, "b": 2})"),
      server_call_of("files.unknown", R"({"b": "x"})"),
      server_call_of("files.impossible", R"({"a": 3})"),
      server_call_of("files.bare", R"({"b": "x"})"),
  };
  const std::vector<std::string> illegal = {
      server_call_of("browser.search", "cats"),
      server_call_of("browser.search", "{}"),
      server_call_of("browser.search", R"({"query": 1})"),
      server_call_of("browser.open", R"({"cursor": "1"})"),
      server_call_of("files.read", R"({"path": "a", "other": 1})"),
      server_call_of("files.read", R"({"head": 1})"),
      server_call_of("files.refers", R"({"b": "x"})"),
      server_call_of("files.unknown", "x"),
      server_call_of("files.impossible", "[1]"),
      server_call_of("files.bare", ""),
  };
  for (const char* again : {"compiled", "known"}) {
    SCOPED_TRACE(again);
    const Answer answer =
        app.ask("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "x"}]})");
    ASSERT_EQ(answer.status, 200u) << answer.body;
    const std::shared_ptr<const TokenConstraint> constraint = app.last_constraint();
    ASSERT_TRUE(constraint);
    for (const std::string& text : legal)
      EXPECT_EQ(how_far(*constraint, *app.model()->tokenizer(), text), "whole") << text;
    for (const std::string& text : illegal)
      EXPECT_TRUE(how_far(*constraint, *app.model()->tokenizer(), text).starts_with("not ")) << text;
  }
}

}  // namespace
}  // namespace gossamer::server

#endif
