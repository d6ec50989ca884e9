#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <future>

#include "http/http_client.h"
#include "http/listening_sockets.h"
#include "http/test_server.h"

namespace gossamer::http {
namespace {

class Client : public ServerTest {
 protected:
  std::unique_ptr<HttpClient> connect(const ClientOptions& options = {}) {
    auto client = HttpClient::create(server->address(), options);
    EXPECT_TRUE(client.ok());
    return client.ok() ? std::move(*client) : nullptr;
  }
};

/// How a call ended, for a test to wait for. It must outlive the client, which tells it: it is declared before.
struct Ending {
  std::promise<CallEnd> promise;
  CallSink sink() {
    return {.on_end = [this](const CallEnd& end) { promise.set_value(end); }};
  }
  std::optional<CallFailure> failure() {
    auto future = promise.get_future();
    if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
      ADD_FAILURE() << "it did not end";
      return std::nullopt;
    }
    return future.get().failure;
  }
};

TEST_F(Client, KeepsItsConnection) {
  start();
  const auto client = connect();
  for (int i = 0; i < 5; ++i) {
    const auto response = client->fetch({.path = "/echo", .body = R"({"n":1})"});
    ASSERT_TRUE(response.ok()) << response.error().message;
    EXPECT_EQ(response->body, R"(POST /echo? {"n":1})");
    EXPECT_EQ(*response->headers.find("content-type"), "text/plain");
  }
  EXPECT_EQ(client->num_connections(), 1u);
  EXPECT_EQ(server->num_connections(), 1u);
}

TEST_F(Client, HandsOverWhatArrivesWhenItArrives) {
  start();
  std::mutex mutex;
  std::string seen;
  unsigned status = 0;
  Ending ending;
  const auto client = connect();
  CallSink sink = ending.sink();
  sink.on_head = [&](unsigned code, const Headers&) { status = code; };
  sink.on_body = [&](std::string_view bytes) {
    const std::lock_guard lock(mutex);
    seen += bytes;
  };
  client->send({.path = "/stream", .body = "{}"}, std::move(sink));
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(*exchange->request().headers.find("Content-Type"), "application/json");
  exchange->begin_stream(201, {}, {});
  for (const char* piece : {"one ", "two ", "three"}) {
    exchange->write(piece);
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex);
      return seen.ends_with(piece);
    }));
  }
  exchange->end();
  EXPECT_EQ(ending.failure(), std::nullopt);
  EXPECT_EQ(seen, "one two three");
  EXPECT_EQ(status, 201u);
}

TEST_F(Client, AsksManyThingsAtOnce) {
  start({.threads = 2});
  constexpr int kCalls = 500;
  std::atomic<int> ended{0}, right{0};
  std::vector<std::string> bodies(kCalls);
  const auto client = connect({.threads = 2});  // it goes first, and with it those who write into the bodies
  for (int i = 0; i < kCalls; ++i) {
    std::string& body = bodies[static_cast<size_t>(i)];
    client->send({.path = "/echo", .body = std::to_string(i)},
                 {.on_body = [&body](std::string_view bytes) { body += bytes; },
                  .on_end =
                      [&, i](const CallEnd& end) {
                        right += !end.failure && body == "POST /echo? " + std::to_string(i);
                        ++ended;
                      }});
  }
  EXPECT_TRUE(eventually([&] { return ended == kCalls; }, 60));
  EXPECT_EQ(right, kCalls);
}

TEST_F(Client, GivesUpInTime) {
  start();
  Ending ending;
  const auto client = connect();
  client->send({.path = "/slow", .body = "{}", .timeout_seconds = 0.1}, ending.sink());
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(ending.failure(), CallFailure::kTimeout);
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; })) << "the server did not notice";
}

TEST_F(Client, CancelsWhatIsUnderWay) {
  start();
  Ending ending;
  const auto client = connect();
  const auto call = client->send({.path = "/slow", .body = "{}"}, ending.sink());
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  client->cancel(call);
  EXPECT_EQ(ending.failure(), CallFailure::kCancelled);
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
  client->cancel(call);
  EXPECT_TRUE(client->fetch({.method = "GET", .path = "/echo"}).ok());
}

TEST_F(Client, CancelsAllAtItsEnd) {
  start();
  Ending one, two;
  auto client = connect();
  client->send({.path = "/slow", .body = "{}"}, one.sink());
  client->send({.path = "/slow", .body = "{}"}, two.sink());
  const auto first = desk.take(), second = desk.take();
  client.reset();
  EXPECT_EQ(one.failure(), CallFailure::kCancelled);
  EXPECT_EQ(two.failure(), CallFailure::kCancelled);
}

TEST_F(Client, SendsAgainWhatAnIdleConnectionLost) {
  start({.idle_seconds = 0.05});
  const auto client = connect();
  for (int i = 0; i < 20; ++i) {
    const auto response = client->fetch({.path = "/echo", .body = "hi"});
    ASSERT_TRUE(response.ok()) << i << ": " << response.error().message;
    EXPECT_EQ(response->body, "POST /echo? hi");
    std::this_thread::sleep_for(std::chrono::milliseconds(40 + i % 20));  // about when the server closes it
  }
}

TEST(ClientFailures, AreNamed) {
  auto sockets = listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(sockets.ok());
  const std::string url = "http://127.0.0.1:" + std::to_string(sockets->port);
  sockets->fds.clear();
  Ending ending;
  const auto client = HttpClient::create(url);
  ASSERT_TRUE(client.ok());
  (*client)->send({.path = "/"}, ending.sink());
  EXPECT_EQ(ending.failure(), CallFailure::kConnect);
  EXPECT_STREQ(to_string(CallFailure::kConnect), "connect");
  EXPECT_FALSE(HttpClient::create("ftp://x").ok());
  EXPECT_FALSE(HttpClient::create("http://no such host").ok());
}

/// A server that says one thing, whatever it is asked, and closes.
class RudeServer {
 public:
  explicit RudeServer(std::string answer) : sockets_(std::move(*listen_tcp("127.0.0.1", 0))) {
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int listening = sockets_.fds[0].get();
      int fd = -1;
      while (fd < 0 && !stopped_) {
        fd = ::accept(listening, nullptr, nullptr);
        if (fd < 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      const UniqueFd owned(fd);
      char bytes[4096];
      (void)!::recv(fd, bytes, sizeof(bytes), 0);
      (void)!::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    });
  }
  ~RudeServer() {
    stopped_ = true;
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(sockets_.port); }

 private:
  ListeningSockets sockets_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

TEST(ClientFailures, OfServersThatAreNone) {
  const struct {
    const char* answer;
    std::optional<CallFailure> failure;
    const char* body;
  } cases[] = {
      {"", CallFailure::kDisconnected, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", CallFailure::kDisconnected, "abc"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", CallFailure::kDisconnected, "abc"},
      {"SSH-2.0-OpenSSH_9.2\r\n", CallFailure::kMalformed, ""},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CallFailure::kMalformed, ""},
      {"HTTP/1.1 200 OK\r\n\r\nto the end", std::nullopt, "to the end"},
      {"HTTP/1.0 200 OK\r\n\r\n", std::nullopt, ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       std::nullopt, "hi"},
      {"HTTP/1.1 204 No Content\r\n\r\n", std::nullopt, ""},
  };
  for (const auto& each : cases) {
    const RudeServer rude(each.answer);
    Ending ending;
    std::string body;
    const auto client = HttpClient::create(rude.url());
    ASSERT_TRUE(client.ok());
    CallSink sink = ending.sink();
    sink.on_body = [&](std::string_view bytes) { body += bytes; };
    (*client)->send({.method = "GET", .path = "/", .timeout_seconds = 5}, std::move(sink));
    EXPECT_EQ(ending.failure(), each.failure) << each.answer;
    EXPECT_EQ(body, each.body) << each.answer;
  }
}

}  // namespace
}  // namespace gossamer::http
