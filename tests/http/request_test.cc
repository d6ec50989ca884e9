#include "http/test_server.h"

namespace gossamer::http {
namespace {

using Requests = ServerTest;

TEST_F(Requests, AreAnsweredAndTheConnectionKept) {
  start();
  RawClient client(*server);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /echo?a=%20b HTTP/1.1\r\nHost: x\r\n\r\n"));
    const std::string response = client.read_response();
    EXPECT_EQ(status_of(response), 200u) << response;
    EXPECT_EQ(body_of(response), "GET /echo?a=%20b ");
    EXPECT_EQ(response.find("Connection"), std::string::npos);
    EXPECT_NE(response.find("\r\nDate: "), std::string::npos);
  }
  EXPECT_EQ(server->num_connections(), 1u);
}

TEST_F(Requests, ArriveInAnyPieces) {
  start();
  RawClient client(*server);
  for (const char byte : std::string_view("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")) {
    client.send({&byte, 1});
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_EQ(body_of(client.read_response()), "POST /echo? hello");
}

TEST_F(Requests, SentTogetherAreAnsweredInOrder) {
  start();
  RawClient client(*server);
  client.send(
      "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
      "GET /echo?three HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->request().body, "one");
  EXPECT_EQ(client.read_until("HTTP", 0.1), "") << "an answer has overtaken the one before it";
  exchange->respond({.body = "first"});
  EXPECT_EQ(body_of(client.read_response()), "first");
  EXPECT_EQ(body_of(client.read_response()), "POST /echo? two");
  EXPECT_EQ(body_of(client.read_response()), "GET /echo?three ");
}

TEST_F(Requests, InThousandsAtOnceNeedNoStack) {
  start();
  RawClient client(*server);
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "GET /echo?" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  std::thread sender([&] { client.send(many); });
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(body_of(client.read_response()), "GET /echo?" + std::to_string(i) + " ");
  sender.join();
}

TEST_F(Requests, MayComeInChunks) {
  start();
  EXPECT_EQ(body_of(ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "4;note=\"a b\"\r\nhell\r\n0001\r\no\r\n0\r\nTrailer: x\r\n\r\n")),
            "POST /echo? hello");
}

TEST_F(Requests, TrailersDoNotBecomeHeaders) {
  start();
  RawClient client(*server);
  client.send(
      "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->request().headers.find("Authorization"), nullptr);
}

TEST_F(Requests, ThatExpect100AreToldToGoOn) {
  start();
  RawClient client(*server);
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("h");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  client.send("i");
  EXPECT_EQ(body_of(client.read_response()), "POST /echo? hi");
}

TEST_F(Requests, OfHttp10EndTheirConnectionUnlessTheyAskToKeepIt) {
  start();
  RawClient once(*server);
  once.send("GET /echo HTTP/1.0\r\n\r\n");
  const std::string response = once.read_to_end();
  EXPECT_TRUE(once.ended());
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(body_of(response), "GET /echo? ");

  RawClient kept(*server);
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(kept.read_response().find("Connection: keep-alive\r\n"), std::string::npos);
  }
}

TEST_F(Requests, OfHttp10GetStreamsWithoutChunks) {
  start();
  RawClient client(*server);
  client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
  exchange->write("data: 1\n\n");
  exchange->write("data: 2\n\n");
  exchange->end();
  const std::string response = client.read_to_end();
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(response.find("chunked"), std::string::npos);
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(body_of(response), "data: 1\n\ndata: 2\n\n");
}

TEST_F(Requests, ForTheHeadAloneGetNoBody) {
  start();
  RawClient client(*server);
  client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?next HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: 12\r\n"), std::string::npos) << head;
  EXPECT_EQ(body_of(client.read_response()), "GET /echo?next ");

  client.send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?next HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->begin_stream(200, {}, {.idle_bytes = ":\n\n", .idle_seconds = 0.01});
  exchange->write("data: 1\n\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  exchange->end();
  EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), 200u);
  EXPECT_EQ(body_of(client.read_response()), "GET /echo?next ");
}

TEST_F(Requests, WithoutContentInTheAnswer) {
  start();
  RawClient client(*server);
  client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\nGET /echo?next HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  EXPECT_EQ(exchange->request().path, "*");
  exchange->respond({.status = 204, .body = "not to be sent"});
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_EQ(head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(body_of(client.read_response()), "GET /echo?next ");
}

TEST_F(Requests, ReachTheHandlerAsTheyAre) {
  start();
  RawClient client(*server);
  client.send("PURGE http://host:80/a%2Fb%20c?d=%20 HTTP/1.1\r\nHost: x\r\nX-One:  1 \r\nX-One: 2\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  const Request& request = exchange->request();
  EXPECT_EQ(request.method, "PURGE");
  EXPECT_EQ(request.path, "/a/b c");
  EXPECT_EQ(request.query, "d=%20");
  EXPECT_EQ(*request.headers.find("x-one"), "1");
  EXPECT_EQ(request.headers.fields().size(), 3u);
  EXPECT_TRUE(request.peer.starts_with("127.0.0.1:")) << request.peer;
}

TEST_F(Requests, MayBePrecededByEmptyLines) {
  start();
  EXPECT_EQ(status_of(ask("\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n")), 200u);
}

TEST_F(Requests, ThatAskForItEndTheConnection) {
  start();
  RawClient client(*server);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n");
  EXPECT_NE(client.read_to_end().find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.ended());
}

TEST_F(Requests, CannotWriteIntoTheHeadOfTheirAnswer) {
  start();
  RawClient client(*server);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->respond({.headers = {{"x-request-id", "a\r\nSet-Cookie: b"}, {"Content-Length", "7"}}, .body = "four"});
  const std::string response = client.read_response();
  EXPECT_NE(response.find("x-request-id: a  Set-Cookie: b\r\n"), std::string::npos) << response;
  EXPECT_NE(response.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_EQ(response.find("Content-Length: 7"), std::string::npos);
}

TEST_F(Requests, ThatNobodyAnswersGet500) {
  start();
  RawClient client(*server);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  desk.take().reset();
  const std::string response = client.read_response();
  EXPECT_EQ(status_of(response), 500u);
  EXPECT_NE(response.find("\"server_error\""), std::string::npos);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(client.read_response()), 200u);
}

TEST_F(Requests, WhoseStreamIsLeftUnfinishedSeeThatItIs) {
  start();
  RawClient client(*server);
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->begin_stream(200, {}, {});
  exchange->write("half");
  exchange.reset();
  const std::string response = client.read_to_end();
  EXPECT_TRUE(client.ended());
  EXPECT_NE(response.find("half"), std::string::npos);
  EXPECT_EQ(response.find("0\r\n\r\n"), std::string::npos);
}

TEST(Handler, ThatThrowsHarmsNobodyElse) {
  auto server = HttpServer::start({.port = 0}, [](std::shared_ptr<Exchange>) { throw std::runtime_error("no"); });
  ASSERT_TRUE(server.ok());
  for (int i = 0; i < 2; ++i) {
    RawClient client(**server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(status_of(client.read_response()), 500u);
  }
}

}  // namespace
}  // namespace gossamer::http
