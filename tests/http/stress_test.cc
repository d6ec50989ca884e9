#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <fstream>

#include "http/file_limit.h"
#include "http/http_client.h"
#include "http/sse_parser.h"
#include "http/test_server.h"
#include "support/sanitizers.h"

namespace gossamer::http {
namespace {

constexpr uint64_t kSlackBytes = testing::kSanitized ? 1u << 30 : 0;  // sanitizers keep memory of their own

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// A thousand connections with a stream each, written by one thread as an engine does: a token to each, and again.
TEST(Stress, AThousandStreams) {
  constexpr int kStreams = 1000, kTokens = 30;
  Desk desk;
  auto server =
      HttpServer::start({.port = 0}, [&](std::shared_ptr<Exchange> exchange) { desk.put(std::move(exchange)); });
  ASSERT_TRUE(server.ok());

  struct Stream {
    int next = 0;
    bool in_order = true;
    std::optional<SseParser> parser;
  };
  std::deque<Stream> streams(kStreams);
  std::atomic<int> ended{0}, failed{0};
  auto client =
      HttpClient::create((*server)->address());  // it goes first, and with it those who write into the streams
  ASSERT_TRUE(client.ok());
  for (int i = 0; i < kStreams; ++i) {
    Stream& stream = streams[static_cast<size_t>(i)];
    stream.parser.emplace([&stream](const SseEvent& event) {
      stream.in_order = stream.in_order && event.data == std::to_string(stream.next++);
    });
    (*client)->send({.path = "/stream/" + std::to_string(i), .body = "{}"},
                    {.on_body = [&stream](std::string_view bytes) { stream.parser->read(bytes); },
                     .on_end =
                         [&](const CallEnd& end) {
                           failed += end.failure.has_value();
                           ++ended;
                         }});
  }
  std::vector<std::shared_ptr<Exchange>> exchanges;
  for (int i = 0; i < kStreams; ++i) {
    exchanges.push_back(desk.take());
    ASSERT_TRUE(exchanges.back()) << i;
    exchanges.back()->begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
  }
  EXPECT_EQ((*server)->num_connections(), static_cast<uint64_t>(kStreams));
  for (int token = 0; token < kTokens; ++token)
    for (const auto& exchange : exchanges) ASSERT_TRUE(exchange->write("data: " + std::to_string(token) + "\n\n"));
  for (const auto& exchange : exchanges) exchange->end();
  ASSERT_TRUE(eventually([&] { return ended == kStreams; }, 30));
  EXPECT_EQ(failed, 0);
  for (const Stream& stream : streams) {
    EXPECT_TRUE(stream.in_order);
    EXPECT_EQ(stream.next, kTokens);
  }
  EXPECT_TRUE((*server)->wait_idle(5));
}

/// Ten thousand idle connections, or as many as this machine lets one process have both ends of: cheap, and nobody else
/// waits for them.
TEST(Stress, ThousandsOfIdleConnections) {
  auto server =
      HttpServer::start({.port = 0}, [&](std::shared_ptr<Exchange> exchange) { exchange->respond({.body = "hi"}); });
  ASSERT_TRUE(server.ok());
  const uint64_t count = std::min<uint64_t>(10'000, (raise_file_limit() - 300) / 2);
  const uint64_t before = resident_bytes();
  std::deque<RawClient> idle;
  for (uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(idle.emplace_back(**server).connected()) << i;
    // Each has been used: what a request needed has been given back.
    if (i % 10 == 0) {
      idle.back().send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      ASSERT_EQ(body_of(idle.back().read_response()), "hi");
    }
  }
  EXPECT_TRUE(eventually([&] { return (*server)->num_connections() == count; }));
  const uint64_t per_connection = (resident_bytes() - before) / count;
  RecordProperty("connections", static_cast<int>(count));
  RecordProperty("bytes_per_connection", static_cast<int>(per_connection));
  EXPECT_LT(per_connection, 4096u + kSlackBytes) << "of memory, both ends";
  const auto begin = std::chrono::steady_clock::now();
  RawClient active(**server);
  active.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(active.read_response()), "hi");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

/// As many requests as these leave nothing behind: what one needed serves the next.
TEST(Stress, RequestsDoNotPileUp) {
  auto server = HttpServer::start({.port = 0}, [&](std::shared_ptr<Exchange> exchange) {
    exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}}, {.idle_bytes = ": keep-alive\n\n"});
    exchange->write("data: 1\n\n");
    exchange->end();
  });
  ASSERT_TRUE(server.ok());
  std::deque<RawClient> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(**server);
  const auto ask_all = [&](int times) {
    for (int i = 0; i < times; ++i) {
      for (RawClient& client : clients) client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
      for (RawClient& client : clients) ASSERT_EQ(status_of(client.read_response()), 200u);
    }
  };
  ask_all(500);
  const uint64_t before = resident_bytes();
  ask_all(3000);
  EXPECT_LT(resident_bytes(), before + (1u << 20) + kSlackBytes);
}

/// Clients that come, send anything, and leave in any way, while one that behaves is served.
TEST(Stress, ConnectionsThatComeAndGo) {
  Desk desk;
  auto server = HttpServer::start({.port = 0, .threads = 2}, [&](std::shared_ptr<Exchange> exchange) {
    if (exchange->request().path == "/good") return exchange->respond({.body = "good"});
    exchange->begin_stream(200, {}, {});
    exchange->write("data: 1\n\n");
    desk.put(std::move(exchange));
  });
  ASSERT_TRUE(server.ok());
  std::atomic<bool> done{false};
  std::vector<std::thread> rude;
  for (unsigned seed = 1; seed <= 4; ++seed)
    rude.emplace_back([&, seed] {
      unsigned random = seed;
      const std::string request = "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n01234567890123456789";
      while (!done) {
        random = random * 1664525 + 1013904223;
        RawClient client(**server);
        client.send(std::string_view(request).substr(0, random >> 16 & 127));
        if (random & 1) client.half_close();
        if (random & 2) client.read_until("\n\n", 0.002);
        if (random & 4) client.reset();
      }
    });
  std::thread answering([&] {
    while (!done || (*server)->num_connections() > 0)
      if (const auto exchange = desk.empty() ? nullptr : desk.take()) exchange->end();
  });
  RawClient good(**server);
  for (int i = 0; i < 300; ++i) {
    good.send("GET /good HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_EQ(body_of(good.read_response()), "good") << i;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  done = true;
  for (std::thread& thread : rude) thread.join();
  good.close();
  answering.join();
  EXPECT_TRUE(eventually([&] { return (*server)->num_connections() == 0; }));
  EXPECT_TRUE((*server)->wait_idle(1));
}

}  // namespace
}  // namespace gossamer::http
