#include "server/served_app.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "server/ollama_routes.h"
#include "server/responses_service.h"

namespace gossamer::server {

ServedApp::ServedApp(const std::vector<std::string>& answers, Script script, http::ServerOptions options)
    : app_(answers, {}, std::move(script)) {
  add_ollama_routes(app());
  EXPECT_TRUE(add_responses_routes(app(), {}).ok());
  options.port = 0;
  options.on_refusal = [this](const std::string& peer, http::Response& refusal) { app().note_refusal(peer, refusal); };
  auto started = http::HttpServer::start(
      options, [this](std::shared_ptr<http::Exchange> exchange) { app().handle(std::move(exchange)); });
  EXPECT_TRUE(started.ok());
  server_ = std::move(*started);
}

std::string ServedApp::ask(std::string_view bytes, double timeout_seconds) const {
  http::RawClient client(*server_);
  client.send(bytes);
  return client.read_response(timeout_seconds);
}

std::string post(std::string_view path, std::string_view body, std::string_view fields) {
  std::string request = "POST ";
  request.append(path).append(" HTTP/1.1\r\nHost: x\r\nContent-Length: ").append(std::to_string(body.size()));
  return request.append("\r\n").append(fields).append("\r\n").append(body);
}

std::string get(std::string_view path, std::string_view method) {
  return std::string(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: x\r\n\r\n");
}

std::string short_answer() {
  return "<|channel|>final<|message|>Yes.<|return|>";
}

std::string long_answer(size_t num_words) {
  std::string answer = "<|channel|>final<|message|>";
  for (size_t i = 0; i < num_words; ++i) answer += " word";
  return answer + "<|return|>";
}

Witness::Witness(const ServedApp& app, const std::string& request) : client_(app.server()) {
  EXPECT_TRUE(client_.send(request));
  EXPECT_EQ(http::status_of(client_.read_until("\r\n\r\n")), 200u);
  thread_ = std::thread([this] { read(); });
}

void Witness::read() {
  using Clock = std::chrono::steady_clock;
  for (Clock::time_point last = Clock::now(); !stopping_;) {
    const std::string event = client_.read_until("\n\n", 0.1);
    const Clock::time_point now = Clock::now();
    longest_seconds_ = std::max(longest_seconds_, std::chrono::duration<double>(now - last).count());
    if (event.empty()) continue;
    last = now;
    ++num_events_;
  }
}

double Witness::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return longest_seconds_;
}

uint64_t peak_bytes_since_last_call() {
  std::ifstream status("/proc/self/status");
  std::string field;
  uint64_t kilobytes = 0;
  while (status >> field)
    if (field == "VmHWM:" && status >> kilobytes) break;
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  return reset.good() ? kilobytes << 10 : 0;
}

}  // namespace gossamer::server
