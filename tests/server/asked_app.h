#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/app.h"
#include "server/fake_exchange.h"
#include "server/scripted_engine.h"

namespace gossamer::server {

/// What a client got.
struct Answer {
  unsigned status = 0;
  http::Headers headers;
  std::string body;

  json::value json() const;  ///< of the body; null where it is none
  std::string header(std::string_view name) const;
};

/// A server with all of its routes and a scripted engine, asked without a network.
class AskedApp {
 public:
  /// `answers`: harmony texts of the model, after <|start|>assistant; the next one to each request in turn.
  explicit AskedApp(const std::vector<std::string>& answers, Script script = {}, AppOptions options = {});
  ~AskedApp();

  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             const std::string& key = "");
  std::shared_ptr<FakeExchange> begin(const std::string& method, const std::string& target,
                                      const std::string& body = "", const std::string& key = "");

  App& app() { return *app_; }
  const std::shared_ptr<ServedModel>& model() const { return model_; }
  /// The prompt of the last request as text.
  std::string last_prompt() const;
  /// What the answer to the last request was held to.
  std::shared_ptr<const TokenConstraint> last_constraint() const;
  std::vector<TokenId> last_prompt_ids() const;

 private:
  std::unique_ptr<App> app_;
  std::shared_ptr<ServedModel> model_;
  std::shared_ptr<std::pair<std::mutex, EngineRequest>> last_;
};

/// "<|channel|>final<|message|>TEXT<|return|>"
std::string final_answer(const std::string& text);
/// "<|channel|>analysis<|message|>TEXT<|end|><|start|>assistant"
std::string thought(const std::string& text);
/// A call of functions.NAME.
std::string function_call(const std::string& name, const std::string& arguments);

}  // namespace gossamer::server
