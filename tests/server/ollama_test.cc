#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "server/asked_app.h"
#include "server/ollama_models.h"
#include "server/ollama_writer.h"

namespace gossamer::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string text_at(const json::value& value, std::string_view pointer) {
  boost::system::error_code failure;
  const json::value* found = value.find_pointer(pointer, failure);
  return found && found->is_string() ? std::string(found->get_string()) : "<none>";
}

std::vector<json::value> lines_of(const std::string& body) {
  std::vector<json::value> lines;
  EXPECT_TRUE(body.ends_with("\n"));
  std::string_view rest = body;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    Result<json::value> value = parse_json(line, "a line");
    EXPECT_TRUE(value.ok()) << line;
    if (value.ok()) lines.push_back(std::move(*value));
  }
  return lines;
}

void expect_last_line(const json::value& last, const char* done_reason) {
  EXPECT_EQ(last.at("done"), true);
  EXPECT_EQ(last.at("done_reason"), done_reason);
  for (const char* key : {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
                          "eval_duration"}) {
    ASSERT_TRUE(last.as_object().contains(key)) << key;
    EXPECT_TRUE(last.at(key).is_int64() || last.at(key).is_uint64()) << key;
    EXPECT_GE(last.at(key).to_number<int64_t>(), 0) << key;
  }
  EXPECT_GE(last.at("total_duration").to_number<int64_t>(), last.at("eval_duration").to_number<int64_t>());
  EXPECT_GT(last.at("prompt_eval_count").to_number<int64_t>(), 0);
}

TEST(Ollama, ChatsInLines) {
  AskedApp app({thought("Hm") + final_answer("Hello there")});
  const Answer answer = app.ask("POST", "/api/chat",
                                R"({"model":"gpt-oss:20b","messages":[{"role":"system","content":"Be kind"},
                                   {"role":"user","content":"Hi"}],"think":"high"})");
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.header("Content-Type"), "application/x-ndjson");
  std::string text, thinking;
  const std::vector<json::value> lines = lines_of(answer.body);
  ASSERT_GE(lines.size(), 3u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("model"), "gpt-oss:20b");
    EXPECT_EQ(text_at(lines[i], "/message/role"), "assistant");
    EXPECT_THAT(text_at(lines[i], "/created_at"),
                MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{9}Z"));
    EXPECT_EQ(lines[i].at("done"), i + 1 == lines.size());
    text += text_at(lines[i], "/message/content");  // is there in each
    if (lines[i].at("message").as_object().contains("thinking")) thinking += text_at(lines[i], "/message/thinking");
  }
  EXPECT_EQ(text, "Hello there");
  EXPECT_EQ(thinking, "Hm");
  expect_last_line(lines.back(), "stop");
  EXPECT_THAT(app.last_prompt(), HasSubstr("Reasoning: high"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("# Instructions\n\nBe kind"));
}

TEST(Ollama, ChatsAtOnce) {
  AskedApp app({thought("Hm") + final_answer("Hello")});
  const std::string body = R"({"model":"gpt-oss:20b","messages":[{"role":"user","content":"Hi"}],"stream":false)";
  const json::value answer = app.ask("POST", "/api/chat", body + "}").json();
  EXPECT_EQ(text_at(answer, "/message/content"), "Hello");
  EXPECT_EQ(text_at(answer, "/message/thinking"), "Hm");
  expect_last_line(answer, "stop");
  const json::value silent = app.ask("POST", "/api/chat", body + R"(,"think":false})").json();
  EXPECT_FALSE(silent.at("message").as_object().contains("thinking"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("Reasoning: low"));
}

TEST(Ollama, Generates) {
  AskedApp app({thought("Hm") + final_answer("Hello there")});
  std::string text, thinking;
  const Answer answer = app.ask("POST", "/api/generate", R"({"model":"gpt-oss:20b","prompt":"Hi","system":"Be kind"})");
  for (const json::value& line : lines_of(answer.body)) {
    text += text_at(line, "/response");
    if (line.as_object().contains("thinking")) thinking += text_at(line, "/thinking");
  }
  EXPECT_EQ(text, "Hello there");
  EXPECT_EQ(thinking, "Hm");
  expect_last_line(lines_of(answer.body).back(), "stop");
  EXPECT_THAT(app.last_prompt(), HasSubstr("Be kind"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("<|start|>user<|message|>Hi<|end|>"));
}

TEST(Ollama, CallsToolsWithAnObject) {
  AskedApp app({thought("Hm") + function_call("f", R"({"a":[1,2.5]})"), final_answer("done")});
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f","description":"F",
      "parameters":{"type":"object","properties":{"a":{"type":"array"}}}}}])";
  const Answer called = app.ask("POST", "/api/chat",
                                R"({"model":"gpt-oss:20b","messages":[{"role":"user","content":"Hi"}],)" + tools + "}");
  const std::vector<json::value> lines = lines_of(called.body);
  const json::value& line = lines.at(lines.size() - 2);
  EXPECT_EQ(text_at(line, "/message/tool_calls/0/function/name"), "f");
  EXPECT_EQ(line.at("message").at("tool_calls").at(0).at("function").at("arguments"),
            *parse_json(R"({"a":[1,2.5]})", "arguments"));
  expect_last_line(lines.back(), "stop");

  // Back as clients of Ollama send it: without ids, the result under the name of its tool.
  app.ask("POST", "/api/chat",
          R"({"model":"gpt-oss:20b","messages":[{"role":"user","content":"Hi"},
      {"role":"assistant","content":"","thinking":"Hm","tool_calls":[{"function":{"name":"f","arguments":{"a":[1,2.5]}}}]},
      {"role":"tool","tool_name":"f","content":"42"}],)" +
              tools + "}");
  EXPECT_THAT(app.last_prompt(), HasSubstr("analysis<|message|>Hm<|end|>"));
  EXPECT_THAT(app.last_prompt(),
              HasSubstr(R"(to=functions.f<|channel|>commentary <|constrain|>json<|message|>{"a":[1,2.5]}<|call|>)"));
  EXPECT_THAT(app.last_prompt(), HasSubstr("functions.f to=assistant<|channel|>commentary<|message|>42<|end|>"));
}

TEST(Ollama, ArgumentsAreAnObjectWhateverTheModelWrote) {
  const auto object = [](const char* text) { return json::serialize(call_arguments_object(text)); };
  EXPECT_EQ(object(R"({"a":1})"), R"({"a":1})");
  EXPECT_EQ(object(R"([{"a":1}])"), R"({"a":1})");
  EXPECT_EQ(object(""), "{}");
  EXPECT_EQ(object(" \n"), "{}");
  EXPECT_EQ(object("[1,2]"), R"({"_raw":"[1,2]"})");
  EXPECT_EQ(object("{\"a\":"), R"({"_raw":"{\"a\":"})");
}

TEST(Ollama, ACallThatWasCutOffIsNone) {
  AskedApp app({function_call("f", R"({"a":"a long argument of many tokens, one after another"})")});
  const json::value answer =
      app.ask("POST", "/api/chat", R"({"model":"gpt-oss:20b","stream":false,"options":{"num_predict":9},
          "messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f"}}]})")
          .json();
  expect_last_line(answer, "length");
  EXPECT_FALSE(answer.at("message").as_object().contains("tool_calls"));
}

TEST(Ollama, OptionsReachTheEngine) {
  AskedApp app({final_answer("one two three four five six")});
  const auto ask = [&](const char* options) {
    return app.ask("POST", "/api/generate",
                   fmt::format(R"({{"model":"gpt-oss:20b","prompt":"Hi","stream":false,"options":{}}})", options));
  };
  EXPECT_EQ(ask(R"({"num_predict":5})").json().at("done_reason"), "length");
  EXPECT_EQ(ask(R"({"num_predict":-1})").json().at("done_reason"), "stop");
  EXPECT_EQ(text_at(ask(R"({"stop":["three"]})").json(), "/response"), "one two ");
  EXPECT_EQ(ask(R"({"num_ctx":4096,"num_gpu":1,"temperature":0,"top_k":1,"top_p":0.9,"min_p":0.1,"seed":7,
                    "repeat_penalty":1.1,"mirostat":0,"something":null})")
                .status,
            200u);
  for (const char* wrong :
       {R"({"temperature":"hot"})", R"({"num_predict":"all"})", R"({"seed":[]})", "7", R"({"repeat_penalty":-1})"}) {
    const Answer answer = ask(wrong);
    EXPECT_EQ(answer.status, 400u) << wrong;
    EXPECT_THAT(text_at(answer.json(), "/error"), HasSubstr("options")) << wrong;
  }
}

#ifdef GOSSAMER_WITH_GRAMMAR
TEST(Ollama, FormatsAreShownToTheModel) {
  AskedApp app({final_answer("{}")});
  const auto ask = [&](const char* format) {
    return app.ask("POST", "/api/generate",
                   fmt::format(R"({{"model":"gpt-oss:20b","prompt":"Hi","stream":false,"format":{}}})", format));
  };
  EXPECT_EQ(ask(R"({"type":"object","properties":{"age":{"type":"integer"}}})").status, 200u);
  EXPECT_THAT(app.last_prompt(), HasSubstr("# Response Formats"));
  EXPECT_EQ(ask("\"json\"").status, 200u);
  EXPECT_EQ(ask("\"\"").status, 200u);
  EXPECT_EQ(ask("null").status, 200u);
  EXPECT_EQ(ask("\"xml\"").status, 400u);
  EXPECT_EQ(ask("7").status, 400u);
}
#endif

TEST(Ollama, NothingToAnswerMeansLoad) {
  AskedApp app({final_answer("no")});
  const json::value chat = app.ask("POST", "/api/chat", R"({"model":"gpt-oss:20b"})").json();
  EXPECT_EQ(chat.at("done_reason"), "load");
  EXPECT_EQ(chat.at("done"), true);
  EXPECT_EQ(text_at(chat, "/message/content"), "");
  const json::value generate = app.ask("POST", "/api/generate", R"({"model":"gpt-oss:20b","keep_alive":"5m"})").json();
  EXPECT_EQ(generate.at("done_reason"), "load");
  EXPECT_EQ(text_at(generate, "/response"), "");
  EXPECT_EQ(app.ask("POST", "/api/generate", R"({"model":"gpt-oss:20b","keep_alive":0})").json().at("done_reason"),
            "unload");
}

TEST(Ollama, WhatIsNotHereIsRefusedClearly) {
  AskedApp app({final_answer("Hello")});
  const std::pair<const char*, const char*> wrongs[] = {
      {R"("raw":true)", "raw"},        {R"("template":"{{ .Prompt }}")", "template"},
      {R"("suffix":"x")", "suffix"},   {R"("images":["aGk="])", "images"},
      {R"("think":"a lot")", "think"}, {R"("stream":"no")", "stream"},
      {R"("prompt":7)", "prompt"},
  };
  for (const auto& [member, word] : wrongs) {
    const Answer answer = app.ask("POST", "/api/generate", fmt::format(R"({{"model":"gpt-oss:20b",{}}})", member));
    EXPECT_EQ(answer.status, 400u) << member;
    EXPECT_THAT(text_at(answer.json(), "/error"), HasSubstr(word)) << member;
  }
  const char* const messages[] = {"7",
                                  "[7]",
                                  R"([{"role":"robot","content":"x"}])",
                                  R"([{"content":"x"}])",
                                  R"([{"role":"user","content":"x","images":["aGk="]}])",
                                  R"([{"role":"assistant","tool_calls":[{}]}])",
                                  R"([{"role":"assistant","tool_calls":[{"function":{}}]}])",
                                  R"([{"role":"tool","content":"x","tool_call_id":"c"}])"};
  for (const char* wrong : messages)
    EXPECT_EQ(app.ask("POST", "/api/chat", fmt::format(R"({{"model":"gpt-oss:20b","messages":{}}})", wrong)).status,
              400u)
        << wrong;
  const Answer ignored = app.ask("POST", "/api/generate", R"({"model":"gpt-oss:20b","prompt":"Hi","context":[1,2]})");
  EXPECT_EQ(ignored.status, 200u);
  EXPECT_THAT(ignored.header("x-gossamer-warning"), HasSubstr("context"));
}

TEST(Ollama, UnknownModelsAreNotFound) {
  AskedApp app({final_answer("Hello")});
  for (const char* path : {"/api/chat", "/api/generate", "/api/show", "/api/pull"}) {
    const Answer answer = app.ask("POST", path, R"({"model":"llama3"})");
    EXPECT_EQ(answer.status, 404u) << path;
    EXPECT_THAT(text_at(answer.json(), "/error"), HasSubstr("not found")) << path;
    EXPECT_EQ(app.ask("POST", path, "{}").status, 400u) << path;
    EXPECT_EQ(app.ask("POST", path, "{").status, 400u) << path;
  }
}

TEST(Ollama, DescribesItsModel) {
  AskedApp app({final_answer("Hello")});
  const json::value tags = app.ask("GET", "/api/tags").json();
  EXPECT_EQ(text_at(tags, "/models/0/name"), "gpt-oss:20b");
  EXPECT_EQ(text_at(tags, "/models/0/model"), "gpt-oss:20b");
  EXPECT_EQ(text_at(tags, "/models/0/digest").size(), 64u);
  EXPECT_EQ(text_at(tags, "/models/0/details/family"), "gptoss");
  const json::value show = app.ask("POST", "/api/show", R"({"model":"gpt-oss"})").json();
  EXPECT_TRUE(show.as_object().contains("error"));
  for (const char* name : {"model", "name"}) {
    const json::value shown = app.ask("POST", "/api/show", fmt::format(R"({{"{}":"gpt-oss:20b"}})", name)).json();
    EXPECT_EQ(shown.at("capabilities"), *parse_json(R"(["completion","tools","thinking"])", "capabilities"));
    EXPECT_EQ(text_at(shown, "/model_info/general.architecture"), "gptoss");
    EXPECT_EQ(shown.at("model_info").at("gptoss.context_length"), 131072);
    EXPECT_THAT(text_at(shown, "/parameters"), HasSubstr("temperature 1"));
  }
  EXPECT_EQ(app.ask("GET", "/api/ps").json().at("models").at(0).at("context_length"), 131072);
  EXPECT_EQ(text_at(app.ask("GET", "/api/version").json(), "/version"), kOllamaVersion);
}

TEST(Ollama, NamesHaveATag) {
  EXPECT_EQ(ollama_name(ModelNames::of("gpt-oss-20b", {})), "gpt-oss:20b");
  EXPECT_EQ(ollama_name(ModelNames::of("gossamer-mini", {})), "gossamer-mini:latest");
  EXPECT_EQ(ollama_name(ModelNames::of("gossamer-mini", {"mine:v1"})), "mine:v1");
}

TEST(Ollama, PullsWhatIsThere) {
  AskedApp app({final_answer("Hello")});
  const Answer lines = app.ask("POST", "/api/pull", R"({"model":"gpt-oss:20b"})");
  EXPECT_EQ(lines_of(lines.body).back().at("status"), "success");
  const Answer once = app.ask("POST", "/api/pull", R"({"name":"gpt-oss:20b","stream":false})");
  EXPECT_EQ(once.json().at("status"), "success");
}

TEST(Ollama, WhatManagesModelsIsToldThatThereIsOne) {
  AskedApp app({final_answer("Hello")});
  for (const auto& [method, path] : {std::pair("POST", "/api/create"),
                                     {"POST", "/api/copy"},
                                     {"POST", "/api/push"},
                                     {"DELETE", "/api/delete"},
                                     {"HEAD", "/api/blobs/sha256:00"}}) {
    const Answer answer = app.ask(method, path, R"({"model":"x"})");
    EXPECT_EQ(answer.status, 404u) << path;
    EXPECT_THAT(text_at(answer.json(), "/error"), HasSubstr("the one model")) << path;
  }
  for (const char* path : {"/api/embed", "/api/embeddings"}) {
    const Answer answer = app.ask("POST", path, R"({"model":"gpt-oss:20b","input":"x"})");
    EXPECT_EQ(answer.status, 400u) << path;
    EXPECT_THAT(text_at(answer.json(), "/error"), HasSubstr("embeddings")) << path;
  }
}

TEST(Ollama, IsThereWhenProbed) {
  AskedApp app({final_answer("Hello")});
  for (const char* method : {"GET", "HEAD"}) {
    const Answer answer = app.ask(method, "/");
    EXPECT_EQ(answer.status, 200u) << method;
    EXPECT_EQ(answer.body, "Ollama is running");
  }
}

TEST(Ollama, AnswersThatFailSayWhy) {
  Script script;
  script.max_waiting = 0;
  AskedApp busy({final_answer("Hello")}, script);
  const Answer refused = busy.ask("POST", "/api/generate", R"({"model":"gpt-oss:20b","prompt":"Hi"})");
  EXPECT_EQ(refused.status, 429u);
  EXPECT_NE(refused.header("Retry-After"), "");

  OllamaWriter writer({});
  AnswerEvent end;
  end.finish = AnswerEvent::Finish::kError;
  end.error = "page 17 is missing";
  std::optional<ApiError> error;
  const std::string line = writer.end(end, 0, error);
  ASSERT_TRUE(error);
  EXPECT_GE(error->status, 500u);
  EXPECT_THAT(text_at(*parse_json(line, "line"), "/error"), Not(HasSubstr("page 17")));

  end.error = "the grammar cannot be followed further: too many states";
  EXPECT_THAT(text_at(*parse_json(OllamaWriter({}).end(end, 0, error), "line"), "/error"),
              HasSubstr("because the grammar cannot be followed further: too many states"));
}

TEST(Ollama, AnswersThatAreCutShortEndWithWhatTheyHave) {
  for (const auto finish :
       {AnswerEvent::Finish::kLength, AnswerEvent::Finish::kDeadline, AnswerEvent::Finish::kCancelled}) {
    OllamaWriter writer({});
    AnswerEvent end;
    end.finish = finish;
    end.usage.completion_tokens = 7;
    std::optional<ApiError> error;
    const json::value line = *parse_json(writer.end(end, 0, error), "line");
    EXPECT_FALSE(error);
    EXPECT_EQ(line.at("done"), true);
    EXPECT_EQ(text_at(line, "/done_reason"), "length");
    EXPECT_EQ(line.at("eval_count").to_number<int>(), 7);
  }
}

TEST(Ollama, LogprobsComeWhereTheyAreAskedFor) {
  AskedApp app({final_answer("Hello")});
  const std::string body = R"({"model":"gpt-oss:20b","prompt":"Hi","stream":false)";
  EXPECT_FALSE(app.ask("POST", "/api/generate", body + "}").json().as_object().contains("logprobs"));
  const json::value scored = app.ask("POST", "/api/generate", body + R"(,"logprobs":true,"top_logprobs":2})").json();
  EXPECT_EQ(text_at(scored, "/logprobs/0/token"), "Hello");
  EXPECT_EQ(scored.at("logprobs").at(0).at("top_logprobs").as_array().size(), 2u);
}

/// Everything that an answer's lines say, put together.
std::string said_in(const std::vector<json::value>& lines) {
  std::string text, thinking, calls;
  for (const json::value& line : lines) {
    const json::object& message = line.at("message").as_object();
    text += text_at(line, "/message/content");
    if (message.contains("thinking")) thinking += text_at(line, "/message/thinking");
    if (message.contains("tool_calls"))
      for (const json::value& call : message.at("tool_calls").as_array()) calls += json::serialize(call);
  }
  return fmt::format("{} / {} / {}", text, thinking, calls);
}

TEST(Ollama, LinesSayWhatTheWholeSays) {
  using Kind = AnswerEvent::Kind;
  const char* const texts[] = {"a", "Grüße", "\"\n", "{\"x\":1}", "[", "\x01"};
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    OllamaWriterOptions at_once;
    at_once.stream = false;
    OllamaWriter streamed({}), whole(at_once);
    std::string lines;
    AnswerEvent event;
    for (unsigned left = random() % 20; left > 0; --left) {
      event.kind = static_cast<Kind>(random() % 6);
      event.text = texts[random() % std::size(texts)];
      event.name = "f";
      event.call_id = "call_1";
      lines += streamed.add(event);
      EXPECT_EQ(whole.add(event), "");
    }
    event.kind = Kind::kEnd;
    std::optional<ApiError> error;
    lines += streamed.end(event, 0, error);
    ASSERT_EQ(said_in(lines_of(lines)), said_in(lines_of(whole.end(event, 0, error)))) << "seed " << seed;
  }
}

TEST(Ollama, TimesAreRfc3339) {
  EXPECT_EQ(rfc3339_nanoseconds(1'700'000'000'000'000'042), "2023-11-14T22:13:20.000000042Z");
  EXPECT_EQ(rfc3339_nanoseconds(0), "1970-01-01T00:00:00.000000000Z");
}

TEST(Ollama, TimeoutMsEndsAnAnswerWhereverItStands) {
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  Script slow;
  slow.seconds_per_token = 0.005;
  AskedApp app({endless}, slow);
  for (const char* field : {R"("timeout_ms":60)", R"("options":{"timeout_ms":60})"}) {
    const Answer answer = app.ask(
        "POST", "/api/chat",
        fmt::format(R"({{"model":"gpt-oss:20b","stream":false,"messages":[{{"role":"user","content":"x"}}],{}}})",
                    field));
    ASSERT_EQ(answer.status, 200u) << answer.body;
    EXPECT_EQ(answer.json().at("done_reason"), "length");
  }
}

}  // namespace
}  // namespace gossamer::server
