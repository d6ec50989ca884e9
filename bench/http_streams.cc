/// What the HTTP transport adds to streams: a server and a client in one process, an engine that has its tokens at
/// once, one server-sent event a token, every event parsed by the client.
///
///   bench_http_streams [--streams 256] [--seconds 5] [--rate 100000] [--latency-streams 64] [--latency-rate 6400]
///                      [--tls-cert FILE --tls-key FILE]
///
/// Flat out: as many events as get through, a few of each stream on their way at most. Paced: `rate` events a second in
/// all, a step of the engine being one event for each stream; latency is from the write to the parsed event.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/http_client.h"
#include "http/http_server.h"
#include "http/sse_parser.h"

namespace gossamer::http {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  uint32_t streams = 256, latency_streams = 64;
  double seconds = 5, rate = 100'000, latency_rate = 6'400;
  std::string certificate, key;
};

[[noreturn]] void fail(const std::string& sentence) {
  fmt::print(stderr, "bench_http_streams: {}\n", sentence);
  std::exit(1);
}

int64_t now_ns() {
  return Clock::now().time_since_epoch().count();
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// As long as a chunk of a chat completion, with the time at which it was written.
std::string event_text(int64_t time_ns) {
  return fmt::format(
      "data: {{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
      "\"model\":\"gpt-oss-20b\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}},\"finish_reason\":null}}]}"
      "}\n\n",
      time_ns);
}

int64_t time_of(const std::string& data) {
  const size_t content = data.find("content\":\"");
  return content == std::string::npos ? 0 : std::strtoll(data.c_str() + content + 10, nullptr, 10);
}

/// Streams that are open, from the engine's end to the events that the client has parsed.
class OpenStreams {
 public:
  OpenStreams(HttpServer& server, uint32_t count, std::deque<std::shared_ptr<Exchange>>& arrived, std::mutex& mutex,
              std::condition_variable& came) {
    auto client = HttpClient::create(server.address(), {.verify_tls = false});
    if (!client.ok()) fail(client.error().message);
    client_ = std::move(*client);
    for (uint32_t i = 0; i < count; ++i) {
      auto parser = std::make_shared<SseParser>([this](const SseEvent& event) { take(event); });
      client_->send({.path = "/stream", .body = "{}"}, {.on_body =
                                                            [this, parser](std::string_view bytes) {
                                                              ++num_reads;
                                                              parser->read(bytes);
                                                            },
                                                        .on_end =
                                                            [this](const CallEnd& end) {
                                                              if (end.failure) fail(end.message);
                                                              ++num_ended_;
                                                            }});
    }
    std::unique_lock lock(mutex);
    came.wait(lock, [&] { return arrived.size() == count; });
    exchanges_.assign(arrived.begin(), arrived.end());
    arrived.clear();
    for (const auto& exchange : exchanges_) exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
  }

  /// One event for each.
  void step() {
    for (const auto& exchange : exchanges_)
      if (!exchange->write(event_text(now_ns()))) fail("a stream broke off");
    num_written += exchanges_.size();
  }

  void end() {
    for (const auto& exchange : exchanges_) exchange->end();
    while (num_ended_ < exchanges_.size()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  std::vector<float>& latencies_ms() { return latencies_ms_; }

  uint64_t num_written = 0;
  std::atomic<uint64_t> num_parsed{0}, num_reads{0};

 private:
  void take(const SseEvent& event) {
    latencies_ms_.push_back(static_cast<float>(1e-6 * static_cast<double>(now_ns() - time_of(event.data))));
    num_parsed.fetch_add(1, std::memory_order_relaxed);
  }

  std::vector<std::shared_ptr<Exchange>> exchanges_;
  std::vector<float> latencies_ms_;
  std::atomic<size_t> num_ended_{0};
  std::unique_ptr<HttpClient> client_;
};

class Bench {
 public:
  explicit Bench(const Options& options) : options_(options) {
    ServerOptions server_options{.port = 0};
    if (!options.certificate.empty()) server_options.tls = TlsFiles{options.certificate, options.key};
    auto server = HttpServer::start(server_options, [this](std::shared_ptr<Exchange> exchange) {
      const std::lock_guard lock(mutex_);
      arrived_.push_back(std::move(exchange));
      came_.notify_one();
    });
    if (!server.ok()) fail(server.error().message);
    server_ = std::move(*server);
  }

  void run(const char* name, uint32_t num_streams, std::optional<double> rate) {
    OpenStreams streams(*server_, num_streams, arrived_, mutex_, came_);
    const auto begin = Clock::now();
    const double cpu_begin = cpu_seconds();
    const auto stop = begin + std::chrono::duration<double>(options_.seconds);
    for (uint64_t step = 0; Clock::now() < stop; ++step) {
      if (rate)
        std::this_thread::sleep_until(begin +
                                      std::chrono::duration<double>(static_cast<double>(step * num_streams) / *rate));
      else
        while (streams.num_written - streams.num_parsed > kWindow * num_streams) std::this_thread::yield();
      streams.step();
    }
    streams.end();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    report(name, streams, seconds, cpu_seconds() - cpu_begin);
  }

 private:
  static constexpr uint64_t kWindow = 4;

  static void report(const char* name, OpenStreams& streams, double seconds, double cpu) {
    std::vector<float>& latencies = streams.latencies_ms();
    std::sort(latencies.begin(), latencies.end());
    const auto quantile = [&](double q) {
      return latencies.empty() ? 0.f : latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))];
    };
    const auto events = static_cast<double>(latencies.size());
    fmt::print(
        "{:<28} {:>9.0f} events/s  {:>5.2f} events a read  {:>5.2f} cores  {:>6.2f} us of CPU an event  latency p50 "
        "{:.2f} "
        "p99 {:.2f} max {:.2f} ms\n",
        name, events / seconds, events / static_cast<double>(streams.num_reads.load()), cpu / seconds,
        1e6 * cpu / events, quantile(0.5), quantile(0.99), quantile(1));
  }

  const Options options_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::shared_ptr<Exchange>> arrived_;
  std::unique_ptr<HttpServer> server_;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) fail(fmt::format("{} wants a value", argv[i]));
    const std::string name = argv[i];
    const char* const value = argv[i + 1];
    if (name == "--streams")
      options.streams = static_cast<uint32_t>(std::atoi(value));
    else if (name == "--latency-streams")
      options.latency_streams = static_cast<uint32_t>(std::atoi(value));
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--rate")
      options.rate = std::atof(value);
    else if (name == "--latency-rate")
      options.latency_rate = std::atof(value);
    else if (name == "--tls-cert")
      options.certificate = value;
    else if (name == "--tls-key")
      options.key = value;
    else
      fail(fmt::format("no option {}; the comment at the top of http_streams.cc names them", name));
  }
  return options;
}

}  // namespace
}  // namespace gossamer::http

int main(int argc, char** argv) {
  using namespace gossamer::http;
  const Options options = parse(argc, argv);
  Bench bench(options);
  bench.run(fmt::format("{} streams, flat out", options.streams).c_str(), options.streams, std::nullopt);
  bench.run(fmt::format("{} streams, paced", options.streams).c_str(), options.streams, options.rate);
  bench.run(fmt::format("{} streams, paced", options.latency_streams).c_str(), options.latency_streams,
            options.latency_rate);
}
