#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/http_client.h"
#include "http/http_server.h"
#include "load/load_plan.h"

namespace gossamer::load {

/// A server whose answers a test writes, and a client of it.
class FakeApi {
 public:
  using Answer = std::function<void(std::shared_ptr<http::Exchange>)>;

  explicit FakeApi(Answer answer) {
    http::ServerOptions options;
    options.port = 0;
    auto started = http::HttpServer::start(options, [this, answer](std::shared_ptr<http::Exchange> exchange) {
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(exchange->request());
      }
      answer(std::move(exchange));
    });
    EXPECT_TRUE(started.ok());
    server_ = std::move(*started);
    auto connected = http::HttpClient::create(server_->address());
    EXPECT_TRUE(connected.ok());
    client_ = std::move(*connected);
  }

  http::HttpClient& client() { return *client_; }
  std::string address() const { return server_->address(); }
  std::vector<http::Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  /// A stream of `texts` chunks with text; `rest` is what comes behind them.
  static void stream(http::Exchange& exchange, int texts, const std::string& rest = kEnd) {
    exchange.begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
    for (int i = 0; i < texts; ++i) exchange.write("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
    exchange.write(rest);
    exchange.end();
  }
  static constexpr const char* kEnd =
      "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
      "\"completion_tokens\":9},\"timings\":{\"prompt_ms\":0}}\n\ndata: [DONE]\n\n";

 private:
  std::mutex mutex_;
  std::vector<http::Request> requests_;
  std::unique_ptr<http::HttpServer> server_;
  std::unique_ptr<http::HttpClient> client_;
};

inline LoadPlan plan_of(uint64_t requests, uint32_t concurrency) {
  LoadPlan plan;
  plan.request.model = "m";
  plan.request.prompts = {{"Hello"}};
  plan.pace.requests = requests;
  plan.pace.concurrency = concurrency;
  return plan;
}

}  // namespace gossamer::load
