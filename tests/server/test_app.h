#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/app.h"
#include "server/fake_exchange.h"
#include "server/routes.h"
#include "server/scripted_engine.h"

namespace gossamer::server {

/// A server without a transport, whose model plays a script.
class TestApp {
 public:
  /// `answers`: harmony text, names of special tokens are those tokens.
  explicit TestApp(std::vector<std::string> answers, AppOptions options = {}, Script script = {});

  std::shared_ptr<FakeExchange> send(std::string method, std::string target, std::string body = {},
                                     http::Headers headers = {});
  /// Sends and waits for the whole answer.
  std::shared_ptr<FakeExchange> ask(std::string method, std::string target, std::string body = {},
                                    http::Headers headers = {});
  json::value ask_json(std::string target, std::string body);

  App& app() { return *app_; }
  ServedModel& model() { return *app_->model(); }

  /// The JSON behind each "data: " of a stream; "[DONE]" is null.
  static std::vector<json::value> events(const std::string& stream);

 private:
  std::unique_ptr<App> app_;
};

}  // namespace gossamer::server
