#include <atomic>

#include "http/test_server.h"

namespace gossamer::http {
namespace {

/// What a handler learns of clients that go away, and does not learn of those that stay.
class ClientGone : public ServerTest {
 protected:
  std::shared_ptr<Exchange> ask_and_wait(RawClient& client, std::string_view rest = "") {
    client.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" + std::string(rest));
    auto exchange = desk.take();
    EXPECT_TRUE(exchange);
    if (exchange) exchange->on_gone([this] { ++gone; });
    return exchange;
  }
  bool is_told() {
    return eventually([this] { return gone > 0; });
  }

  std::atomic<int> gone{0};
};

TEST_F(ClientGone, WhileItsAnswerIsComputed) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  client.close();
  EXPECT_TRUE(is_told());
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
  exchange->respond({.body = "nobody reads this"});
  EXPECT_EQ(gone, 1);
}

TEST_F(ClientGone, WithAReset) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  client.reset();
  EXPECT_TRUE(is_told());
}

TEST_F(ClientGone, BehindRequestsThatItSentAhead) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  client.close();
  EXPECT_TRUE(is_told());
}

TEST_F(ClientGone, BeforeItsStreamSaysAnything) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  exchange->begin_stream(200, {}, {.idle_bytes = ": keep-alive\n\n"});
  client.read_until("\r\n\r\n");
  client.close();
  EXPECT_TRUE(is_told());
  EXPECT_FALSE(exchange->write("data: 1\n\n"));
}

TEST_F(ClientGone, IsToldToAllWhoAsked) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  for (int i = 0; i < 2; ++i) exchange->on_gone([this] { ++gone; });
  client.close();
  EXPECT_TRUE(eventually([this] { return gone == 3; }));
}

TEST_F(ClientGone, FromAStreamWithoutIdleBytes) {
  start();
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  exchange->begin_stream(200, {}, {});
  client.read_until("\r\n\r\n");
  client.close();
  EXPECT_TRUE(eventually([&] { return !exchange->write("{}\n"); }));
  EXPECT_TRUE(is_told());
}

TEST_F(ClientGone, FromAUnixSocket) {
  start({.unix_socket = ::testing::TempDir() + "gossamer_gone.sock"});
  RawClient client(*server);
  const auto exchange = ask_and_wait(client);
  EXPECT_EQ(exchange->request().peer, "unix");
  client.close();
  EXPECT_TRUE(is_told());
}

TEST_F(ClientGone, IsToldAtOnceToThoseWhoAskLater) {
  start();
  RawClient client(*server);
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  client.reset();
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
  exchange->on_gone([this] { ++gone; });
  EXPECT_EQ(gone, 1);
}

TEST_F(ClientGone, IsNotToldAfterTheEnd) {
  start();
  RawClient client(*server);
  auto exchange = ask_and_wait(client);
  exchange->respond({.body = "done"});
  EXPECT_EQ(body_of(client.read_response()), "done");
  client.close();
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
  exchange.reset();
  EXPECT_EQ(gone, 0);
}

TEST_F(ClientGone, MayHoldTheExchangeItself) {
  start();
  RawClient client(*server);
  auto exchange = ask_and_wait(client);
  std::weak_ptr<Exchange> watched = exchange;
  exchange->on_gone([exchange] {});
  exchange->respond({});
  exchange.reset();
  EXPECT_TRUE(eventually([&] { return watched.expired(); }));
}

/// Half-closed is not gone: netcat does it, and waits for its answer.
TEST_F(ClientGone, IsNotWhoHasOnlyEndedItsOwnDirection) {
  start();
  RawClient quick(*server);
  quick.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?2 HTTP/1.1\r\nHost: x\r\n\r\n");
  quick.half_close();
  EXPECT_EQ(body_of(quick.read_response()), "GET /echo? ");
  EXPECT_EQ(body_of(quick.read_response()), "GET /echo?2 ");
  EXPECT_EQ(quick.read_to_end(), "");
  EXPECT_TRUE(quick.ended());

  RawClient patient(*server);
  const auto exchange = ask_and_wait(patient);
  patient.half_close();
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  EXPECT_EQ(gone, 0);
  exchange->respond({.body = "at last"});
  EXPECT_EQ(patient.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n") << "which shows that somebody is there";
  EXPECT_EQ(body_of(patient.read_response()), "at last");

  RawClient streaming(*server);
  const auto stream = ask_and_wait(streaming);
  stream->begin_stream(200, {}, {.idle_bytes = ":\n\n"});
  streaming.half_close();
  EXPECT_NE(streaming.read_until(":\n\n").find(":\n\n"), std::string::npos);
  EXPECT_TRUE(stream->write("data: 1\n\n"));
  stream->end();
  EXPECT_NE(streaming.read_to_end().find("data: 1"), std::string::npos);
  EXPECT_EQ(gone, 0);
}

TEST_F(ClientGone, OrHalfClosedInTheMiddleOfARequest) {
  start();
  for (const char* part : {"GET /ec", "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"}) {
    RawClient client(*server);
    client.send(part);
    client.half_close();
    EXPECT_EQ(status_of(client.read_to_end()), 400u);
    EXPECT_TRUE(client.ended());
  }
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
}

}  // namespace
}  // namespace gossamer::http
