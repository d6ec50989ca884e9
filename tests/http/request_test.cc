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

TEST_F(Requests, StreamPieceByPiece) {
  start();
  RawClient client(*server);
  client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->begin_stream(200, {{"Content-Type", "text/event-stream"}}, {});
  exchange->write("data: 1\n\n");
  EXPECT_NE(client.read_until("9\r\ndata: 1\n\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  exchange->write("data: 2\n\n");
  EXPECT_EQ(client.read_until("\n\n\r\n"), "9\r\ndata: 2\n\n\r\n");
  exchange->end();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
}

}  // namespace
}  // namespace gossamer::http
