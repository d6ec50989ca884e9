#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/asked_app.h"
#include "server/event_grammar.h"

namespace gossamer::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPath[] = "/v1/responses";

std::string text_at(const json::value& value, std::string_view pointer) {
  boost::system::error_code failure;
  const json::value* found = value.find_pointer(pointer, failure);
  return found && found->is_string() ? std::string(found->get_string()) : "<none>";
}

std::string output_text(const json::value& response) {
  for (const json::value& item : response.at("output").as_array())
    if (item.at("type") == "message") return std::string(item.at("content").at(0).at("text").as_string());
  return "<none>";
}

TEST(ResponsesRoutes, AnswersAtOnce) {
  AskedApp app({thought("Hm") + final_answer("Hello")});
  const Answer answer = app.ask("POST", kPath, R"({"model":"gpt-oss-20b","input":"Hi","instructions":"Be kind",
      "temperature":0.7,"max_output_tokens":50,"metadata":{"a":"b"},"reasoning":{"effort":"low"},"user":null})");
  EXPECT_EQ(answer.status, 200u);
  const json::value body = answer.json();
  EXPECT_EQ(body.at("status"), "completed");
  EXPECT_EQ(output_text(body), "Hello");
  EXPECT_EQ(text_at(body, "/output/0/content/0/text"), "Hm");
  EXPECT_EQ(body.at("temperature"), 0.7);
  EXPECT_EQ(body.at("max_output_tokens"), 50);
  EXPECT_EQ(text_at(body, "/metadata/a"), "b");
  EXPECT_EQ(text_at(body, "/reasoning/effort"), "low");
  EXPECT_TRUE(body.at("ttft").is_number());
  const std::string prompt = app.last_prompt();
  EXPECT_THAT(prompt, HasSubstr("Reasoning: low"));
  EXPECT_THAT(prompt, HasSubstr("# Instructions\n\nBe kind"));
  EXPECT_THAT(prompt, HasSubstr("<|start|>user<|message|>Hi<|end|><|start|>assistant"));
}

/// Chats part messages of a kind with a blank line. Items are apart already: nothing is added to what the model wrote.
TEST(ResponsesRoutes, MessagesApartHaveNoBlankLines) {
  const std::string preamble = "<|channel|>commentary<|message|>Let me see.<|end|><|start|>assistant";
  AskedApp app({thought("a") + thought("b") + preamble + thought("c") + final_answer("Hello")});
  const json::value response = app.ask("POST", kPath, R"({"input":"Hi"})").json();
  std::vector<std::string> texts;
  for (const json::value& item : response.at("output").as_array()) texts.push_back(text_at(item, "/content/0/text"));
  EXPECT_THAT(texts, ::testing::ElementsAre("a\n\nb", "Let me see.", "c", "Hello"));
}

TEST(ResponsesRoutes, StreamsByTheGrammar) {
  AskedApp app({thought("Hm") + "<|channel|>commentary<|message|>Look<|end|><|start|>assistant" +
                function_call("f", "{\"a\":1}")});
  const Answer answer = app.ask("POST", kPath, R"({"input":"Hi","stream":true,"tools":[
      {"type":"function","name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}]})");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_THAT(answer.header("Content-Type"), HasSubstr("text/event-stream"));
  EXPECT_EQ(answer.header("Cache-Control"), "no-cache");
  EXPECT_THAT(answer.body, Not(HasSubstr("[DONE]")));
  const std::vector<WrittenEvent> events = events_of_sse(answer.body);
  EXPECT_EQ(broken_rule(events), "");
  const json::value last = parse_json(events.back().second, "event")->at("response");
  EXPECT_EQ(text_at(last, "/output/1/phase"), "commentary");
  EXPECT_EQ(text_at(last, "/output/2/arguments"), "{\"a\":1}");
  EXPECT_THAT(text_at(last, "/output/2/call_id"), ::testing::StartsWith("call_"));
}

#ifdef GOSSAMER_WITH_GRAMMAR
TEST(ResponsesRoutes, CustomAndPatchToolsTakeFreeText) {
  AskedApp app({function_call("note", R"({"input":"a\nb"})"),
                function_call("apply_patch", R"({"type":"update_file","path":"x.c","diff":"@@"})")});
  const std::string tools = R"("tools":[{"type":"custom","name":"note","description":"Notes",
      "format":{"type":"text"}},{"type":"apply_patch"}])";
  const json::value note = app.ask("POST", kPath, "{\"input\":\"Hi\"," + tools + "}").json();
  EXPECT_EQ(text_at(note, "/output/0/type"), "custom_tool_call");
  EXPECT_EQ(text_at(note, "/output/0/input"), "a\nb");
  const Answer patch = app.ask("POST", kPath, "{\"input\":\"Hi\",\"stream\":true," + tools + "}");
  EXPECT_EQ(broken_rule(events_of_sse(patch.body)), "");
  EXPECT_THAT(patch.body, HasSubstr(R"("operation":{"type":"update_file","path":"x.c","diff":"@@"})"));
}
#endif

#ifdef GOSSAMER_WITH_GRAMMAR
TEST(ResponsesRoutes, TextOfAGrammarIsTheBodyOfTheCall) {
  const std::string text = R"({"input":"a"})";  // looks like what free text is wrapped in
  AskedApp app({function_call("note", text)});
  const std::string tools = R"("tools":[{"type":"custom","name":"note","description":"Notes",
      "format":{"type":"grammar","syntax":"lark","definition":"start: /.+/"}}])";
  const json::value note = app.ask("POST", kPath, "{\"input\":\"Hi\"," + tools + "}").json();
  EXPECT_EQ(text_at(note, "/output/0/type"), "custom_tool_call");
  EXPECT_EQ(text_at(note, "/output/0/input"), text);
  EXPECT_THAT(app.last_prompt(), HasSubstr("start: /.+/"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("type note = () => any;"));
  const std::string stream = app.ask("POST", kPath, "{\"input\":\"Hi\",\"stream\":true," + tools + "}").body;
  EXPECT_EQ(broken_rule(events_of_sse(stream)), "");
  const size_t id = stream.find("resp_");
  const std::string name = stream.substr(id, stream.find('"', id) - id);
  EXPECT_EQ(app.ask("GET", std::string(kPath) + "/" + name + "?stream=true").body, stream);
  app.ask("POST", kPath,
          "{\"input\":[{\"type\":\"custom_tool_call_output\",\"call_id\":\"" + text_at(note, "/output/0/call_id") +
              "\",\"output\":\"ok\"}],\"previous_response_id\":\"" + text_at(note, "/id") + "\"," + tools + "}");
  EXPECT_THAT(app.last_prompt(), HasSubstr("to=functions.note<|channel|>commentary<|message|>" + text + "<|call|>"));
}
#endif

TEST(ResponsesRoutes, UnknownToolsAreIgnoredWithAWarning) {
  AskedApp app({final_answer("Hello")});
  const std::string tools = R"("tools":[{"type":"web_search"},{"type":"namespace","name":"n","tools":[]},
      {"type":"web_search"},{"type":"local\r\nshell"}])";
  for (const char* stream : {"true", "false"}) {
    const Answer answer = app.ask("POST", kPath, fmt::format("{{\"input\":\"Hi\",\"stream\":{},{}}}", stream, tools));
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.header("x-gossamer-warning"), "ignored tools: web_search, namespace, localshell");
  }
  for (const char* choice : {R"({"type":"web_search"})", R"({"type":"function","name":"f"})", R"("required")", "7",
                             R"("sometimes")", R"({"type":"custom","name":"f"})"}) {
    const Answer answer =
        app.ask("POST", kPath, fmt::format("{{\"input\":\"Hi\",{},\"tool_choice\":{}}}", tools, choice));
    EXPECT_EQ(answer.status, 400u) << choice;
    EXPECT_THAT(text_at(answer.json(), "/error/param"), HasSubstr("tool_choice")) << choice;
  }
}

TEST(ResponsesRoutes, ToolChoiceNoneShowsNoTools) {
  AskedApp app({final_answer("Hello")});
  app.ask("POST", kPath, R"({"input":"Hi","tools":[{"type":"function","name":"f"}],"tool_choice":"none"})");
  EXPECT_THAT(app.last_prompt(), Not(HasSubstr("namespace functions")));
}

TEST(ResponsesRoutes, ChainsAndBranches) {
  AskedApp app({thought("Hm") + final_answer("one"), final_answer("two"), final_answer("three")});
  const std::string first = text_at(app.ask("POST", kPath, R"({"input":"A","instructions":"Old"})").json(), "/id");
  const auto next = [](const std::string& previous, const char* input) {
    return fmt::format(R"({{"input":"{}","previous_response_id":"{}"}})", input, previous);
  };
  const json::value second = app.ask("POST", kPath, next(first, "B")).json();
  EXPECT_EQ(text_at(second, "/previous_response_id"), first);
  const std::string prompt = app.last_prompt();
  EXPECT_THAT(prompt,
              HasSubstr("<|start|>user<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>one<|end|>"
                        "<|start|>user<|message|>B<|end|>"));
  EXPECT_THAT(prompt, Not(HasSubstr("Old")));  // instructions are of one request
  EXPECT_THAT(prompt, Not(HasSubstr("Hm")));   // so is the reasoning of a finished turn
  app.ask("POST", kPath, next(text_at(second, "/id"), "C"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("two<|end|><|start|>user<|message|>C"));
  app.ask("POST", kPath, next(first, "D"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("one<|end|><|start|>user<|message|>D"));
  EXPECT_THAT(app.last_prompt(), Not(HasSubstr("two")));
  const Answer missing = app.ask("POST", kPath, next("resp_nothing", "E"));
  EXPECT_EQ(missing.status, 404u);
  EXPECT_EQ(text_at(missing.json(), "/error/param"), "previous_response_id");
}

TEST(ResponsesRoutes, AToolLoopKeepsItsReasoning) {
  AskedApp app({thought("Hm") + function_call("f", "{}"), final_answer("done")});
  const std::string tools = R"("tools":[{"type":"function","name":"f"}])";
  const json::value first = app.ask("POST", kPath, "{\"input\":\"A\"," + tools + "}").json();
  const std::string output = fmt::format(
      R"({{"previous_response_id":"{}",{},"input":[{{"type":"function_call_output","call_id":"{}","output":"42"}}]}})",
      text_at(first, "/id"), tools, text_at(first, "/output/1/call_id"));
  EXPECT_EQ(output_text(app.ask("POST", kPath, output).json()), "done");
  EXPECT_THAT(app.last_prompt(), HasSubstr("analysis<|message|>Hm<|end|>"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("functions.f to=assistant<|channel|>commentary<|message|>42<|end|>"));
}

TEST(ResponsesRoutes, WithoutStoreReasoningTravelsSealed) {
  AskedApp app({thought("My secret") + function_call("f", "{}"), final_answer("done")});
  const std::string common = R"("store":false,"include":["reasoning.encrypted_content"],
      "tools":[{"type":"function","name":"f"}])";
  const json::value first = app.ask("POST", kPath, "{\"input\":\"A\"," + common + "}").json();
  const std::string sealed = text_at(first, "/output/0/encrypted_content");
  EXPECT_THAT(sealed, Not(HasSubstr("secret")));
  EXPECT_EQ(app.ask("GET", std::string(kPath) + "/" + text_at(first, "/id")).status, 404u);
  const auto again = [&](const std::string& blob) {
    return fmt::format(
        R"({{{},"input":[{{"role":"user","content":"A"}},
            {{"type":"reasoning","id":"rs_x","summary":[],"content":null,"encrypted_content":"{}"}},
            {{"type":"function_call","call_id":"c","name":"f","arguments":"{{}}"}},
            {{"type":"function_call_output","call_id":"c","output":"42"}}]}})",
        common, blob);
  };
  app.ask("POST", kPath, again(sealed));
  EXPECT_THAT(app.last_prompt(), HasSubstr("analysis<|message|>My secret<|end|>"));
  const Answer foreign = app.ask("POST", kPath, again("gAAAAforeign"));
  EXPECT_EQ(foreign.status, 200u);
  EXPECT_THAT(foreign.header("x-gossamer-warning"), HasSubstr("reasoning"));
}

TEST(ResponsesRoutes, InputTokensAreThoseOfTheAnswer) {
  AskedApp app({final_answer("one")});
  const std::string tools = R"("tools":[{"type":"function","name":"f","parameters":{"type":"object"}}])";
  const json::value first = app.ask("POST", kPath, R"({"input":"A","instructions":"Be kind",)" + tools + "}").json();
  const auto count = [&](const std::string& body) {
    return app.ask("POST", std::string(kPath) + "/input_tokens", body);
  };
  const json::value counted =
      count(R"({"model":"gpt-oss-20b","input":"A","instructions":"Be kind",)" + tools + "}").json();
  EXPECT_EQ(counted.at("object"), "response.input_tokens");
  EXPECT_EQ(counted.at("input_tokens").to_number<int64_t>(), first.at("usage").at("input_tokens").to_number<int64_t>());
  const std::string next = fmt::format(R"({{"input":"B","previous_response_id":"{}"}})", text_at(first, "/id"));
  const json::value counted_next = count(next).json();
  EXPECT_EQ(counted_next.at("input_tokens").to_number<int64_t>(),
            app.ask("POST", kPath, next).json().at("usage").at("input_tokens").to_number<int64_t>());
  EXPECT_EQ(count(R"({"input":"B","previous_response_id":"resp_nothing"})").status, 404u);
  EXPECT_EQ(count(R"({"input":[{"type":"function_call_output","call_id":"c","output":"x"}]})").status, 400u);
  EXPECT_EQ(count(R"({"model":"gpt-4","input":"B"})").status, 404u);
  EXPECT_EQ(count("{}").status, 400u);
}

TEST(ResponsesRoutes, EchoesWhatClientsReadBack) {
  AskedApp app({final_answer("one")});
  const json::value body =
      app.ask("POST", kPath, R"({"input":"A","conversation":null,"prompt":null,"metadata":{"k":"v"},
      "prompt_cache_key":"p","safety_identifier":"s","user":"u","service_tier":"auto","truncation":"auto","max_tool_calls":3,
      "include":["reasoning.encrypted_content","web_search_call.action.sources"],"stream_options":{"include_obfuscation":false},
      "prompt_cache_retention":"24h","text":{"verbosity":"low"},"max_output_tokens":-1,"context_management":null})")
          .json();
  EXPECT_EQ(body.at("status"), "completed");
  for (const auto& [key, value] : {std::pair("prompt_cache_key", "p"),
                                   {"safety_identifier", "s"},
                                   {"user", "u"},
                                   {"service_tier", "default"},
                                   {"truncation", "auto"}})
    EXPECT_EQ(text_at(body, std::string("/") + key), value);
  EXPECT_EQ(body.at("max_tool_calls"), 3);
  EXPECT_TRUE(body.at("max_output_tokens").is_null());
  EXPECT_EQ(text_at(body, "/text/verbosity"), "low");
  EXPECT_EQ(app.ask("POST", kPath, R"({"input":"A","conversation":"conv_1"})").status, 400u);
  EXPECT_EQ(app.ask("POST", kPath, R"({"input":"A","max_tool_calls":-1})").status, 400u);
}

TEST(ResponsesRoutes, ItemsCanBeReferredTo) {
  AskedApp app({final_answer("one"), final_answer("two")});
  const json::value first = app.ask("POST", kPath, R"({"input":[{"role":"user","content":"A"}]})").json();
  const std::string body = fmt::format(
      R"({{"input":[{{"role":"user","content":"A"}},{{"type":"item_reference","id":"{}"}},{{"role":"user","content":"B"}}]}})",
      text_at(first, "/output/0/id"));
  const json::value second = app.ask("POST", kPath, body).json();
  EXPECT_THAT(app.last_prompt(), HasSubstr("final<|message|>one<|end|><|start|>user<|message|>B"));
  const json::value items =
      app.ask("GET", std::string(kPath) + "/" + text_at(second, "/id") + "/input_items?order=asc").json();
  EXPECT_EQ(text_at(items, "/data/1/content/0/text"), "one");
  const Answer missing = app.ask("POST", kPath, R"({"input":[{"type":"item_reference","id":"msg_nothing"}]})");
  EXPECT_EQ(missing.status, 404u);
  const std::string reference = fmt::format(R"({{"type":"item_reference","id":"{}"}})", text_at(first, "/output/0/id"));
  EXPECT_EQ(app.ask("POST", kPath, fmt::format(R"({{"input":[{},{}]}})", reference, reference)).status, 404u);
}

TEST(ResponsesRoutes, StoredOnesAreThereUntilDeleted) {
  AskedApp app({final_answer("Hello")});
  const Answer made = app.ask("POST", kPath, R"({"input":"Hi"})");
  const std::string path = std::string(kPath) + "/" + text_at(made.json(), "/id");
  EXPECT_EQ(app.ask("GET", path).json(), made.json());
  EXPECT_EQ(app.ask("GET", path + "?stream=true").status, 400u);  // it was no stream
  EXPECT_EQ(app.ask("POST", path + "/cancel").status, 400u);      // nor in the background
  const Answer deleted = app.ask("DELETE", path);
  EXPECT_EQ(deleted.status, 200u);
  EXPECT_EQ(deleted.json().at("deleted"), true);
  for (const char* method : {"GET", "DELETE"}) EXPECT_EQ(app.ask(method, path).status, 404u);
  EXPECT_EQ(app.ask("POST", path + "/cancel").status, 404u);
  EXPECT_EQ(app.ask("GET", path + "/input_items").status, 404u);
}

TEST(ResponsesRoutes, TenantsDoNotSeeEachOthers) {
  AppOptions options;
  options.api_keys = {"alice", "bob"};
  AskedApp app({final_answer("Hello")}, {}, options);
  const std::string id = text_at(app.ask("POST", kPath, R"({"input":"Hi"})", "alice").json(), "/id");
  const std::string path = std::string(kPath) + "/" + id;
  EXPECT_EQ(app.ask("GET", path, "", "alice").status, 200u);
  EXPECT_EQ(app.ask("GET", path, "", "bob").status, 404u);
  EXPECT_EQ(app.ask("DELETE", path, "", "bob").status, 404u);
  const std::string next = fmt::format(R"({{"input":"Hi","previous_response_id":"{}"}})", id);
  EXPECT_EQ(app.ask("POST", kPath, next, "bob").status, 404u);
}

TEST(ResponsesRoutes, InputItemsComeInPages) {
  AskedApp app({final_answer("Hello")});
  std::string items;
  for (int i = 0; i < 5; ++i) items += fmt::format(R"({}{{"role":"user","content":"m{}"}})", i ? "," : "", i);
  const std::string path = std::string(kPath) + "/" +
                           text_at(app.ask("POST", kPath, "{\"input\":[" + items + "]}").json(), "/id") +
                           "/input_items";
  const json::value newest = app.ask("GET", path + "?limit=2").json();
  EXPECT_EQ(text_at(newest, "/data/0/content/0/text"), "m4");
  EXPECT_EQ(newest.at("has_more"), true);
  const json::value rest = app.ask("GET", path + "?limit=3&after=" + text_at(newest, "/last_id")).json();
  EXPECT_EQ(text_at(rest, "/data/0/content/0/text"), "m2");
  EXPECT_EQ(text_at(rest, "/data/2/content/0/text"), "m0");
  EXPECT_EQ(rest.at("has_more"), false);
  for (const char* query : {"?limit=0", "?limit=101", "?limit=x", "?order=up"})
    EXPECT_EQ(app.ask("GET", path + query).status, 400u) << query;
}

Script slow() {
  Script script;
  script.seconds_per_token = 0.002;
  return script;
}

TEST(ResponsesRoutes, AStreamIsResumedWhereItBroke) {
  AskedApp app(
      {thought("Hm, what a question that is") + final_answer("A long answer of many tokens, one after another")},
      slow());
  const auto whole = app.begin("POST", kPath, R"({"input":"Hi","stream":true,"background":true})");
  ASSERT_TRUE(whole->wait());
  const std::vector<WrittenEvent> events = events_of_sse(whole->so_far().body);
  EXPECT_EQ(broken_rule(events), "");
  const std::string id = text_at(*parse_json(events.front().second, "event"), "/response/id");
  for (const int after : {-1, 0, 7, static_cast<int>(events.size()) - 2}) {
    const Answer rest = app.ask("GET", fmt::format("{}/{}?stream=true&starting_after={}", kPath, id, after));
    EXPECT_EQ(events_of_sse(rest.body), std::vector<WrittenEvent>(events.begin() + after + 1, events.end())) << after;
  }
}

TEST(ResponsesRoutes, AStreamIsResumedWhileItRuns) {
  AskedApp app({final_answer("A long answer of many tokens, one after another, and then some more of them to be safe")},
               slow());
  const auto cut = app.begin("POST", kPath, R"({"input":"Hi","stream":true,"background":true})");
  ASSERT_TRUE(cut->wait_for("output_text.delta"));
  cut->go();  // it goes on in the background
  const std::vector<WrittenEvent> got = events_of_sse(cut->so_far().body);
  const std::string path =
      fmt::format("{}/{}?stream=true", kPath, text_at(*parse_json(got.front().second, "event"), "/response/id"));
  const std::vector<WrittenEvent> whole = events_of_sse(app.ask("GET", path).body);
  EXPECT_EQ(broken_rule(whole), "");
  EXPECT_GT(whole.size(), got.size());
  EXPECT_EQ(std::vector<WrittenEvent>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(got.size())), got);
}

TEST(ResponsesRoutes, InTheBackgroundOneCanPollAndCancel) {
  AskedApp app({final_answer("A long answer of many tokens, one after another, and then some more")}, slow());
  const Answer begun = app.ask("POST", kPath, R"({"input":"Hi","background":true})");
  EXPECT_EQ(begun.status, 200u);
  EXPECT_EQ(begun.json().at("status"), "queued");
  const std::string path = std::string(kPath) + "/" + text_at(begun.json(), "/id");
  EXPECT_EQ(app.ask("GET", path).json().at("status"), "in_progress");
  const Answer cancelled = app.ask("POST", path + "/cancel");
  EXPECT_EQ(cancelled.json().at("status"), "cancelled");
  EXPECT_EQ(app.ask("GET", path).json(), cancelled.json());
  EXPECT_EQ(app.ask("POST", path + "/cancel").json(), cancelled.json());

  const std::string other = text_at(app.ask("POST", kPath, R"({"input":"Hi","background":true})").json(), "/id");
  json::value polled;
  for (int i = 0; i < 1000 && (i == 0 || polled.at("status") == "in_progress"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    polled = app.ask("GET", std::string(kPath) + "/" + other).json();
  }
  EXPECT_EQ(polled.at("status"), "completed");
  EXPECT_EQ(app.ask("POST", kPath, R"({"input":"Hi","background":true,"store":false})").status, 400u);
}

TEST(ResponsesRoutes, AClientThatGoesEndsItsResponse) {
  Script script = slow();
  script.seconds_per_token = 0.02;
  for (const char* stream : {"true", "false"}) {
    AskedApp app({final_answer("A long answer of many tokens, one after another, and then some more")}, script);
    const auto gone = app.begin("POST", kPath, fmt::format("{{\"input\":\"Hi\",\"stream\":{}}}", stream));
    gone->go();
    for (int i = 0; i < 1000 && app.model()->source().stats().running > 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(app.model()->source().stats().running, 0u);
    EXPECT_LT(app.model()->source().stats().generated_tokens, 10u);
  }
}

TEST(ResponsesRoutes, TheEndOfTheTokensIsIncomplete) {
  AskedApp app({final_answer("A long answer of many tokens")});
  const json::value body = app.ask("POST", kPath, R"({"input":"Hi","max_output_tokens":4})").json();
  EXPECT_EQ(body.at("status"), "incomplete");
  EXPECT_EQ(text_at(body, "/incomplete_details/reason"), "max_output_tokens");
}

TEST(ResponsesRoutes, WhatDoesNotFitIsRefusedOrCut) {
  Script script;
  script.max_sequence_tokens = 200;
  AskedApp app({final_answer("Hello")}, script);
  std::string input;
  for (int i = 0; i < 40; ++i)
    input += fmt::format(R"({}{{"role":"{}","content":"message number {}"}})", i ? "," : "",
                         i % 2 ? "assistant" : "user", i);
  const Answer refused = app.ask("POST", kPath, "{\"stream\":true,\"input\":[" + input + "]}");
  EXPECT_EQ(refused.status, 400u);
  EXPECT_EQ(text_at(refused.json(), "/error/code"), "context_length_exceeded");
  const Answer cut = app.ask("POST", kPath,
                             "{\"truncation\":\"auto\",\"input\":[{\"role\":\"system\",\"content\":\"Be kind\"}," +
                                 input + ",{\"role\":\"user\",\"content\":\"last\"}]}");
  EXPECT_EQ(cut.status, 200u);
  EXPECT_THAT(app.last_prompt(), HasSubstr("last"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("Be kind"));
  EXPECT_THAT(app.last_prompt(), Not(HasSubstr("number 1<")));
}

TEST(ResponsesRoutes, LogprobsComeWhereTheyAreAskedFor) {
  AskedApp app({final_answer("Hello")});
  const auto logprobs = [&](const char* more) {
    return app.ask("POST", kPath, fmt::format(R"({{"input":"Hi"{}}})", more))
        .json()
        .at("output")
        .at(0)
        .at("content")
        .at(0)
        .at("logprobs");
  };
  EXPECT_EQ(logprobs(""), json::array());
  const json::value scored = logprobs(R"(,"include":["message.output_text.logprobs"],"top_logprobs":2)");
  ASSERT_EQ(scored.as_array().size(), 1u);
  EXPECT_EQ(text_at(scored, "/0/token"), "Hello");
  EXPECT_EQ(scored.at(0).at("top_logprobs").as_array().size(), 2u);
}

struct Wrong {
  const char* body;
  const char* param;
};

TEST(ResponsesRoutes, WhatIsWrongIsRefusedByName) {
  AskedApp app({final_answer("Hello")});
  const Wrong wrongs[] = {
      {R"({"model":"gpt-oss-20b"})", "input"},
      {R"({"input":7})", "input"},
      {R"({"input":"Hi","model":7})", "model"},
      {R"({"input":"Hi","temperature":3})", "temperature"},
      {R"({"input":"Hi","temperature":"hot"})", "temperature"},
      {R"({"input":"Hi","max_output_tokens":0})", "max_output_tokens"},
      {R"({"input":"Hi","stream":"yes"})", "stream"},
      {R"({"input":"Hi","store":1})", "store"},
      {R"({"input":"Hi","metadata":{"a":1}})", "metadata"},
      {R"({"input":"Hi","metadata":[]})", "metadata"},
      {R"({"input":"Hi","bad_words":["x"]})", "bad_words"},
      {R"({"input":"Hi","service_tier":"bogus"})", "service_tier"},
      {R"({"input":"Hi","include":"x"})", "include"},
      {R"({"input":"Hi","include":[1]})", "include"},
      {R"({"input":"Hi","reasoning":{"effort":"much"}})", "reasoning.effort"},
      {R"({"input":"Hi","reasoning":7})", "reasoning"},
      {R"({"input":"Hi","text":{"format":{"type":"xml"}}})", "text.format.type"},
      {R"({"input":"Hi","text":{"format":{"type":"json_schema","name":"x"}}})", "text.format.schema"},
      {R"({"input":"Hi","text":{"verbosity":"chatty"}})", "text.verbosity"},
      {R"({"input":"Hi","truncation":"sometimes"})", "truncation"},
      {R"({"input":"Hi","top_logprobs":21})", "top_logprobs"},
      {R"({"input":"Hi","ignore_eos":true})", "ignore_eos"},
      {R"({"input":"Hi","tools":{}})", "tools"},
      {R"({"input":"Hi","tools":[7]})", "tools[0]"},
      {R"({"input":"Hi","tools":[{}]})", "tools[0].type"},
      {R"({"input":"Hi","tools":[{"type":"function"}]})", "tools[0].name"},
      {R"({"input":"Hi","tools":[{"type":"function","name":"f"},{"type":"custom","name":"f"}]})", "tools[1].name"},
      {R"({"input":"Hi","prompt":{"id":"p"}})", "prompt"},
      {R"({"input":"Hi","conversation":"conv_1"})", "conversation"},
      {R"({"input":[{"type":"function_call_output","call_id":"c","output":"x"}]})", "input[0]"},
  };
  for (const Wrong& wrong : wrongs) {
    const Answer answer = app.ask("POST", kPath, wrong.body);
    EXPECT_EQ(answer.status, 400u) << wrong.body;
    EXPECT_EQ(text_at(answer.json(), "/error/param"), wrong.param) << wrong.body << answer.body;
  }
  EXPECT_EQ(app.ask("POST", kPath, R"({"input":"Hi","model":"gpt-9"})").status, 404u);
  EXPECT_EQ(app.ask("POST", kPath, "{").status, 400u);
  EXPECT_EQ(app.ask("PUT", kPath, "{}").status, 405u);
}

TEST(ResponsesRoutes, NullsAreDefaults) {
  AskedApp app({final_answer("Hello")});
  std::string body = R"({"input":"Hi")";
  for (const char* key : {"instructions",
                          "tools",
                          "tool_choice",
                          "parallel_tool_calls",
                          "reasoning",
                          "text",
                          "metadata",
                          "store",
                          "stream",
                          "previous_response_id",
                          "include",
                          "truncation",
                          "background",
                          "user",
                          "max_output_tokens",
                          "temperature",
                          "top_p",
                          "top_logprobs",
                          "service_tier",
                          "prompt",
                          "conversation",
                          "max_tool_calls",
                          "prompt_cache_key",
                          "something_new"})
    body += fmt::format(",\"{}\":null", key);
  const Answer answer = app.ask("POST", kPath, body + "}");
  EXPECT_EQ(answer.status, 200u) << answer.body;
  EXPECT_EQ(answer.json().at("store"), true);
}

}  // namespace
}  // namespace gossamer::server
