#include "server/test_app.h"

#include <gtest/gtest.h>

#include "server/grammars_of_tests.h"

namespace gossamer::server {

TestApp::TestApp(std::vector<std::string> answers, AppOptions options, Script script) {
  Result<std::unique_ptr<App>> app = App::create(std::move(options));
  EXPECT_TRUE(app.ok());
  app_ = std::move(*app);
  add_chat_completions_route(*app_);
  add_completions_routes(*app_);
  add_model_routes(*app_);
  add_text_routes(*app_);
  add_health_routes(*app_);
  add_control_routes(*app_);
  if (answers.empty()) return;  // still loading

  ServedModelParts parts;
  parts.names = ModelNames::of("openai/gpt-oss-20b", {});
  parts.tokenizer = Tokenizer::o200k_harmony();
  for (const std::string& answer : answers)
    parts.tokenizer->encode_with_specials(answer, script.answers.emplace_back());
  parts.grammars = grammars_of_tests();
  for (const char* name : {"<|return|>", "<|call|>", "<|endoftext|>"})
    parts.stop_tokens.push_back(*parts.tokenizer->special(name));
  parts.source = std::make_unique<ScriptedEngine>(std::move(script));
  parts.today = [] { return "2026-11-22"; };
  Result<std::shared_ptr<ServedModel>> model = ServedModel::create(std::move(parts), &app_->metrics());
  EXPECT_TRUE(model.ok());
  app_->set_model(std::move(*model));
}

std::shared_ptr<FakeExchange> TestApp::send(std::string method, std::string target, std::string body,
                                            http::Headers headers) {
  http::Request request;
  request.method = std::move(method);
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  request.headers = std::move(headers);
  request.body = std::move(body);
  request.peer = "127.0.0.1:1";
  auto exchange = std::make_shared<FakeExchange>(std::move(request));
  app_->handle(exchange);
  return exchange;
}

std::shared_ptr<FakeExchange> TestApp::ask(std::string method, std::string target, std::string body,
                                           http::Headers headers) {
  auto exchange = send(std::move(method), std::move(target), std::move(body), std::move(headers));
  EXPECT_TRUE(exchange->wait());
  return exchange;
}

json::value TestApp::ask_json(std::string target, std::string body) {
  const auto exchange = ask("POST", std::move(target), std::move(body));
  Result<json::value> value = parse_json(exchange->response().body, "the answer");
  EXPECT_TRUE(value.ok()) << exchange->response().body;
  return value.ok() ? *value : json::value();
}

std::vector<json::value> TestApp::events(const std::string& stream) {
  std::vector<json::value> events;
  constexpr std::string_view kData = "data: ";
  for (size_t begin = 0; begin < stream.size();) {
    const size_t end = stream.find("\n\n", begin);
    EXPECT_NE(end, std::string::npos) << "an event without an end";
    if (end == std::string::npos) break;
    const std::string_view event = std::string_view(stream).substr(begin, end - begin);
    EXPECT_TRUE(event.starts_with(kData)) << event;
    const std::string_view text = event.substr(kData.size());
    begin = end + 2;
    if (text == "[DONE]") {
      events.emplace_back(nullptr);
      continue;
    }
    Result<json::value> value = parse_json(text, "an event");
    EXPECT_TRUE(value.ok()) << text;
    if (value.ok()) events.push_back(*value);
  }
  return events;
}

}  // namespace gossamer::server
