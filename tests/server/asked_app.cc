#include "server/asked_app.h"

#include <utility>

#include "base/check.h"
#include "server/grammars_of_tests.h"
#include "server/ollama_routes.h"
#include "server/responses_service.h"
#include "server/routes.h"
#include "server/served_model.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::server {
namespace {

/// Remembers what it was asked.
class ListeningEngine final : public TokenSource {
 public:
  using Last = std::shared_ptr<std::pair<std::mutex, EngineRequest>>;
  ListeningEngine(Script script, Last last) : engine_(std::move(script)), last_(std::move(last)) {}

  Result<SequenceId> submit(EngineRequest request, EventSink sink) override {
    {
      const std::lock_guard lock(last_->first);
      last_->second = request;
    }
    return engine_.submit(std::move(request), std::move(sink));
  }
  void cancel(SequenceId id) override { engine_.cancel(id); }
  EngineStats stats() const override { return engine_.stats(); }
  uint32_t max_sequence_tokens() const override { return engine_.max_sequence_tokens(); }
  void reset_prefix_cache() override {}

 private:
  ScriptedEngine engine_;
  Last last_;
};

}  // namespace

json::value Answer::json() const {
  Result<json::value> value = parse_json(body, "the answer");
  return value.ok() ? std::move(*value) : json::value();
}

std::string Answer::header(std::string_view name) const {
  const std::string* value = headers.find(name);
  return value ? *value : "";
}

AskedApp::AskedApp(const std::vector<std::string>& answers, Script script, AppOptions options)
    : last_(std::make_shared<std::pair<std::mutex, EngineRequest>>()) {
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::o200k_harmony();
  for (const std::string& answer : answers) {
    std::vector<TokenId>& tokens = script.answers.emplace_back();
    tokenizer->encode_with_specials(answer, tokens);
  }
  Result<std::unique_ptr<App>> app = App::create(std::move(options));
  GOS_CHECK(app.ok());
  app_ = std::move(*app);
  ServedModelParts parts;
  parts.names = ModelNames::of("gpt-oss-20b", {});
  parts.tokenizer = tokenizer;
  parts.source = std::make_unique<ListeningEngine>(std::move(script), last_);
  parts.grammars = grammars_of_tests();
  parts.stop_tokens = {*tokenizer->special("<|return|>"), *tokenizer->special("<|call|>")};
  Result<std::shared_ptr<ServedModel>> model = ServedModel::create(std::move(parts));
  GOS_CHECK(model.ok());
  model_ = std::move(*model);
  app_->set_model(model_);
  add_chat_completions_route(*app_);
  add_ollama_routes(*app_);
  GOS_CHECK(add_responses_routes(*app_, {}).ok());
}

AskedApp::~AskedApp() {
  model_.reset();
  app_.reset();
}

std::shared_ptr<FakeExchange> AskedApp::begin(const std::string& method, const std::string& target,
                                              const std::string& body, const std::string& key) {
  http::Request request;
  request.method = method;
  const size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  request.body = body;
  request.peer = "test";
  if (!key.empty()) request.headers.add("Authorization", "Bearer " + key);
  auto exchange = std::make_shared<FakeExchange>(std::move(request));
  app_->handle(exchange);
  return exchange;
}

Answer AskedApp::ask(const std::string& method, const std::string& target, const std::string& body,
                     const std::string& key) {
  const std::shared_ptr<FakeExchange> exchange = begin(method, target, body, key);
  if (!exchange->wait()) return {};
  const http::Response response = exchange->so_far();
  return {response.status, response.headers, response.body};
}

std::string AskedApp::last_prompt() const {
  const std::lock_guard lock(last_->first);
  return model_->tokenizer()->decode_bytes(last_->second.prompt);
}

std::shared_ptr<const TokenConstraint> AskedApp::last_constraint() const {
  const std::lock_guard lock(last_->first);
  return last_->second.constraint;
}

std::vector<TokenId> AskedApp::last_prompt_ids() const {
  const std::lock_guard lock(last_->first);
  return last_->second.prompt;
}

std::string final_answer(const std::string& text) {
  return "<|channel|>final<|message|>" + text + "<|return|>";
}

std::string thought(const std::string& text) {
  return "<|channel|>analysis<|message|>" + text + "<|end|><|start|>assistant";
}

std::string function_call(const std::string& name, const std::string& arguments) {
  return "<|channel|>commentary to=functions." + name + " <|constrain|>json<|message|>" + arguments + "<|call|>";
}

}  // namespace gossamer::server
