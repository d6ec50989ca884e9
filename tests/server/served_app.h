#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/http_server.h"
#include "http/raw_client.h"
#include "server/test_app.h"

namespace gossamer::server {

/// The whole server on a real socket: transport, all routes, and an engine that plays a script.
class ServedApp {
 public:
  /// `answers`: as TestApp has them; the port is any that is free.
  explicit ServedApp(const std::vector<std::string>& answers, Script script = {}, http::ServerOptions options = {});

  const http::HttpServer& server() const { return *server_; }
  App& app() { return app_.app(); }
  EngineStats stats() { return app_.model().source().stats(); }
  /// The answer to some bytes on a connection of their own.
  std::string ask(std::string_view bytes, double timeout_seconds = 10) const;

 private:
  TestApp app_;
  std::unique_ptr<http::HttpServer> server_;
};

/// "POST PATH ..." with that body; `fields` are further header lines, each with its end.
std::string post(std::string_view path, std::string_view body, std::string_view fields = "");
std::string get(std::string_view path, std::string_view method = "GET");

/// A short answer, and one of that many words.
std::string short_answer();
std::string long_answer(size_t num_words);

/// Somebody who reads a stream all the while: what others do must not hold it up.
class Witness {
 public:
  /// Begins, on the connection of its own, with what asks for a stream.
  Witness(const ServedApp& app, const std::string& request);
  ~Witness() { stop(); }

  /// Ends it. The longest that it waited for the next event, in seconds.
  double stop();
  uint64_t num_events() const { return num_events_; }

 private:
  void read();

  http::RawClient client_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> num_events_{0};
  double longest_seconds_ = 0;
  std::thread thread_;
};

/// Memory that this process has had at the most since the last call; 0: this system does not tell.
uint64_t peak_bytes_since_last_call();

}  // namespace gossamer::server
