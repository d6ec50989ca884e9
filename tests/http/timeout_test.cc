#include "http/test_server.h"

namespace gossamer::http {
namespace {

using Timeouts = ServerTest;

TEST_F(Timeouts, OfHeadersEndSlowloris) {
  start({.header_seconds = 0.2});
  RawClient slow(*server);
  slow.send("GET /echo HTTP/1.1\r\nHost: x\r\n");
  const auto begin = std::chrono::steady_clock::now();
  std::string response;
  while (response.empty() && std::chrono::steady_clock::now() - begin < std::chrono::seconds(5)) {
    slow.send("X-Another: header\r\n");
    response = slow.read_until("}}", 0.02);
  }
  EXPECT_EQ(status_of(response), 408u) << response;
  EXPECT_NE(response.find("invalid_request_error"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return !slow.send("X"); }));
  EXPECT_EQ(status_of(ask("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")), 200u) << "somebody else";
}

TEST_F(Timeouts, OfBodiesToo) {
  start({.body_seconds = 0.1});
  EXPECT_EQ(status_of(ask("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")), 408u);
  EXPECT_EQ(status_of(ask("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n")), 408u);
  EXPECT_TRUE(desk.empty());
}

TEST_F(Timeouts, OfIdleConnectionsCloseThemWithoutAWord) {
  start({.idle_seconds = 0.1});
  RawClient never(*server);
  EXPECT_EQ(never.read_to_end(), "");
  EXPECT_TRUE(never.ended());
  RawClient after(*server);
  after.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(after.read_to_end()), "GET /echo? ");
  EXPECT_TRUE(after.ended());
  EXPECT_TRUE(eventually([&] { return server->num_connections() == 0; }));
}

TEST_F(Timeouts, DoNotCountWhileTheHandlerWorks) {
  start({.header_seconds = 0.05, .body_seconds = 0.05, .idle_seconds = 0.05, .stall_seconds = 0.05});
  RawClient client(*server);
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  exchange->respond({.body = "late"});
  EXPECT_EQ(body_of(client.read_response()), "late");
}

TEST_F(Timeouts, BeginAnewWithEachRequest) {
  start({.header_seconds = 0.3, .idle_seconds = 0.3});
  RawClient client(*server);
  for (int i = 0; i < 5; ++i) {
    client.send("GET /echo HTTP/1.1\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    client.send("Host: x\r\n\r\n");
    EXPECT_EQ(status_of(client.read_response()), 200u) << i;
  }
}

}  // namespace
}  // namespace gossamer::http
