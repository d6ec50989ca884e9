#include <sys/socket.h>

#include <atomic>

#include "http/test_server.h"

namespace gossamer::http {
namespace {

class Streams : public ServerTest {
 protected:
  std::shared_ptr<Exchange> open(RawClient& client, StreamOptions options = {}) {
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    auto exchange = desk.take();
    EXPECT_TRUE(exchange);
    if (exchange) exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}}, std::move(options));
    EXPECT_NE(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
    return exchange;
  }
};

/// The bytes that chunks carry, and how many there were.
struct Unchunked {
  std::string body;
  size_t num_chunks = 0;
  bool ended = false;
};
Unchunked unchunk(std::string_view text) {
  Unchunked result;
  while (true) {
    const size_t line = text.find("\r\n");
    if (line == text.npos) return result;
    const size_t size = std::strtoul(std::string(text.substr(0, line)).c_str(), nullptr, 16);
    if (size == 0) {
      result.ended = text == "0\r\n\r\n";
      return result;
    }
    if (text.size() < line + size + 4) return result;
    result.body += text.substr(line + 2, size);
    ++result.num_chunks;
    text.remove_prefix(line + size + 4);
  }
}

std::string event(int i) {
  return "data: " + std::to_string(i) + "\n\n";
}

TEST_F(Streams, GoOutPieceByPiece) {
  start();
  RawClient client(*server);
  const auto exchange = open(client);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(exchange->write(event(i)));
    EXPECT_EQ(client.read_until("\n\n\r\n"), "9\r\n" + event(i) + "\r\n");
  }
  exchange->end();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_FALSE(exchange->write("after the end"));
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(client.read_response()), 200u);
}

/// A client that reads nothing for a while blocks nobody, loses nothing, and gets what waited in few large chunks.
TEST_F(Streams, WaitInTheirRingForSlowClients) {
  start({.ring_bytes = 8u << 20});
  RawClient client(*server);
  const auto exchange = open(client);
  std::string expected;
  const std::string filler(100, 'x');
  for (int i = 0; i < 50'000; ++i) {
    const std::string piece = event(i) + filler;
    expected += piece;
    ASSERT_TRUE(exchange->write(piece));
    if (i == 1000) std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the socket is full by then, or soon
  }
  exchange->end();
  const Unchunked read = unchunk(client.read_until("\r\n0\r\n\r\n"));
  EXPECT_TRUE(read.ended);
  EXPECT_TRUE(read.body == expected);
  EXPECT_LT(read.num_chunks, 40'000u);
}

TEST_F(Streams, AreClosedForClientsThatLeaveTheRingFull) {
  start({.stall_seconds = 0.3, .ring_bytes = 64u << 10});
  RawClient stalled(*server), other(*server);
  const auto stream = open(stalled), healthy = open(other);
  std::atomic<int> gone{0};
  stream->on_gone([&] { ++gone; });
  const auto begin = std::chrono::steady_clock::now();
  const std::string piece(1000, 'x');
  // As fast as the socket takes it, and then slowly: the burst beyond the ring is not what ends it.
  int writes = 0;
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20; ++i) stream->write(++writes < 10'000 ? piece : "");
    return !stream->write("x");
  }));
  EXPECT_TRUE(eventually([&] { return gone == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_TRUE(healthy->write("data: still here\n\n"));
  EXPECT_NE(other.read_until("here\n\n").find("still here"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 1; }));
}

TEST_F(Streams, ThatHaveEndedAreClosedToo) {
  start({.stall_seconds = 0.2});
  RawClient client(*server);
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->respond({.body = std::string(32u << 20, 'x')});
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
  EXPECT_TRUE(server->wait_idle(1));
}

TEST_F(Streams, OfClientsThatReadSlowlyButReadAreKept) {
  start({.stall_seconds = 0.2});
  RawClient client(*server);
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  const size_t size = 16u << 20;
  exchange->respond({.body = std::string(size, 'x')});
  size_t read = 0;
  std::vector<char> bytes(1u << 20);
  while (read < size) {
    const ssize_t count = ::recv(client.fd(), bytes.data(), bytes.size(), 0);
    ASSERT_GT(count, 0) << read;
    read += static_cast<size_t>(count);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_GE(read, size);
}

TEST_F(Streams, OfABurstBeyondTheRingAreGivenUp) {
  start({.ring_bytes = 16u << 10});
  RawClient client(*server);
  const auto exchange = open(client);
  std::atomic<bool> gone{false};
  exchange->on_gone([&] { gone = true; });
  const std::string piece(4096, 'x');
  uint64_t taken = 0;
  while (taken < (64u << 20) && exchange->write(piece)) taken += piece.size();
  EXPECT_LT(taken, 64u << 20) << "memory without bound";
  EXPECT_TRUE(eventually([&] { return gone.load(); }));
}

TEST_F(Streams, TakeAPieceLargerThanTheRing) {
  start({.ring_bytes = 1000});
  RawClient client(*server);
  const auto exchange = open(client);
  const std::string piece(3u << 20, 'x');
  EXPECT_TRUE(exchange->write(piece));
  exchange->end();
  EXPECT_TRUE(unchunk(client.read_until("\r\n0\r\n\r\n")).body == piece);
}

TEST_F(Streams, SayThatTheyAreAlive) {
  start();
  RawClient client(*server);
  const auto exchange = open(client, {.idle_bytes = ": keep-alive\n\n", .idle_seconds = 0.1});
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.read_until("\n\n\r\n"), "e\r\n: keep-alive\n\n\r\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(290));
  // Not while they say something else.
  for (int i = 0; i < 20; ++i) {
    exchange->write(event(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  exchange->end();
  const std::string rest = client.read_until("0\r\n\r\n");
  EXPECT_EQ(rest.find("keep-alive"), std::string::npos) << rest;
}

/// To a HEAD, and with a status that has no body, nothing can be said; that must not keep the loop busy.
TEST_F(Streams, WithoutABodySayNothingAndLeaveOthersTheirTurn) {
  start();
  for (const char* method : {"HEAD", "GET"}) {
    RawClient client(*server), other(*server);
    client.send(method + std::string(" /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    const auto exchange = desk.take();
    ASSERT_TRUE(exchange);
    exchange->begin_stream(method == std::string("GET") ? 204 : 200, {}, {.idle_bytes = ":\n\n", .idle_seconds = 0.01});
    client.read_until("\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    other.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(other.read_response(2)), 200u) << method;
    exchange->end();
    EXPECT_EQ(client.read_until("}}", 0.05), "");
  }
}

TEST_F(Streams, AreWrittenFromManyThreads) {
  start({.threads = 2});
  constexpr int kStreams = 32, kEvents = 200;
  std::deque<RawClient> clients;
  std::vector<std::thread> writers;
  for (int i = 0; i < kStreams; ++i) {
    auto exchange = open(clients.emplace_back(*server));
    writers.emplace_back([exchange, i] {
      for (int n = 0; n < kEvents; ++n) exchange->write(event(i * kEvents + n));
      exchange->end();
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (int i = 0; i < kStreams; ++i) {
    std::string expected;
    for (int n = 0; n < kEvents; ++n) expected += event(i * kEvents + n);
    const Unchunked read = unchunk(clients[static_cast<size_t>(i)].read_until("\r\n0\r\n\r\n"));
    EXPECT_EQ(read.body, expected);
    EXPECT_TRUE(read.ended);
  }
}

}  // namespace
}  // namespace gossamer::http
