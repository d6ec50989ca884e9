#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "http/http_server.h"

namespace gossamer::tools {

/// A web site on this machine.
class WebSite {
 public:
  explicit WebSite(const std::string& host = "127.0.0.1") {
    http::ServerOptions options;
    options.host = host;
    options.port = 0;
    Result<std::unique_ptr<http::HttpServer>> server =
        http::HttpServer::start(options, [this](std::shared_ptr<http::Exchange> exchange) { answer(*exchange); });
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
  }

  std::string address() const { return server_->address(); }
  void add(const std::string& path, std::string body, std::string type = "text/html") {
    const std::lock_guard lock(mutex_);
    pages_[path] = {200, {{"Content-Type", std::move(type)}}, std::move(body)};
  }
  void redirect(const std::string& path, std::string to) {
    const std::lock_guard lock(mutex_);
    pages_[path] = {302, {{"Location", std::move(to)}}, ""};
  }
  std::string last_query() {
    const std::lock_guard lock(mutex_);
    return last_query_;
  }

 private:
  void answer(http::Exchange& exchange) {
    const std::lock_guard lock(mutex_);
    last_query_ = exchange.request().query;
    const auto page = pages_.find(exchange.request().path);
    exchange.respond(page == pages_.end() ? http::Response{404, {}, "no"} : page->second);
  }

  std::mutex mutex_;
  std::map<std::string, http::Response> pages_;
  std::string last_query_;
  std::unique_ptr<http::HttpServer> server_;
};

}  // namespace gossamer::tools
