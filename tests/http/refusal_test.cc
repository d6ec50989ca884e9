#include "base/json.h"
#include "http/test_server.h"

namespace gossamer::http {
namespace {

struct RefusedCase {
  const char* name;
  std::string bytes;
  unsigned status = 400;
};

std::string head_with(const std::string& fields) {
  return "POST /x HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

std::string chunked(const std::string& body) {
  return head_with("Transfer-Encoding: chunked\r\n") + body;
}

class Refusals : public ServerTest, public ::testing::WithParamInterface<RefusedCase> {};

/// One answer in OpenAI's shape, the end of the connection, and nothing for the handler: neither the request nor what
/// may be hidden behind it.
TEST_P(Refusals, AnswerAndClose) {
  start({.max_header_bytes = 4096, .max_body_bytes = 1000});
  RawClient client(*server);
  client.send(GetParam().bytes + "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string response = client.read_to_end();
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(status_of(response), GetParam().status) << response;
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_NE(response.find("Content-Type: application/json\r\n"), std::string::npos);
  const auto body = parse_json(body_of(response), "the body");
  ASSERT_TRUE(body.ok()) << response;
  const json::value& error = body->as_object().at("error");
  EXPECT_FALSE(error.at("message").as_string().empty());
  EXPECT_EQ(error.at("type").as_string(), "invalid_request_error");
  EXPECT_TRUE(error.at("param").is_null());
  EXPECT_TRUE(error.at("code").is_null());
  EXPECT_TRUE(desk.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Refusals,
    ::testing::ValuesIn(std::vector<RefusedCase>{
        // Where the body ends must not be a matter of opinion.
        {"LengthAndChunks", head_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
        {"ChunksAndLength", head_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n"},
        {"TwoLengths", head_with("Content-Length: 5\r\nContent-Length: 6\r\n")},
        {"TwoEqualLengths", head_with("Content-Length: 0\r\nContent-Length: 0\r\n")},
        {"ListOfLengths", head_with("Content-Length: 0, 0\r\n")},
        {"HugeLengthTwice", head_with("Content-Length: 99999\r\nContent-Length: 99999\r\n")},
        {"NegativeLength", head_with("Content-Length: -1\r\n")},
        {"SignedLength", head_with("Content-Length: +1\r\n")},
        {"HexLength", head_with("Content-Length: 0x1\r\n")},
        {"LengthBeyond64Bits", head_with("Content-Length: 18446744073709551617\r\n")},
        {"EmptyLength", head_with("Content-Length:\r\n")},
        {"OtherCoding", head_with("Transfer-Encoding: gzip\r\n")},
        {"CodingBeforeChunked", head_with("Transfer-Encoding: gzip, chunked\r\n")},
        {"ChunkedTwice", head_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        {"AlmostChunked", head_with("Transfer-Encoding: xchunked\r\n")},
        {"QuotedChunked", head_with("Transfer-Encoding: \"chunked\"\r\n")},
        {"ChunkedAndIdentity", head_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")},
        {"ChunkedInHttp10", "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {"SpaceBeforeColon", head_with("Content-Length : 5\r\n")},
        {"TabBeforeColon", head_with("Content-Length\t: 5\r\n")},
        {"SpaceBeforeName", "GET /x HTTP/1.1\r\n Host: x\r\n\r\n"},
        {"FoldedField", head_with("X-Long: a\r\n b\r\n")},
        {"BareLineFeed", "GET /x HTTP/1.1\nHost: x\n\n"},
        {"OneBareLineFeed", head_with("X-A: 1\nX-B: 2\r\n")},
        {"BareLineFeedAtTheEnd", "GET /x HTTP/1.1\r\nHost: x\r\n\n"},
        {"BareCarriageReturn", head_with("X-A: 1\rX-B: 2\r\n")},
        {"NulInField", head_with(std::string("X-A: 1\0002\r\n", 10))},
        {"EmptyName", head_with(": 1\r\n")},
        {"NoColon", head_with("nonsense\r\n")},
        {"TwoHosts", "GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
        {"NoHost", "GET /x HTTP/1.1\r\n\r\n"},
        // Chunks.
        {"ChunkSizeIsNoNumber", chunked("zz\r\n")},
        {"ChunkSizeIsSigned", chunked("+1\r\na\r\n0\r\n\r\n")},
        {"ChunkSizeWithPrefix", chunked("0x1\r\na\r\n0\r\n\r\n")},
        {"ChunkSizeBeyond64Bits", chunked("10000000000000001\r\na\r\n0\r\n\r\n")},
        {"ChunkLongerThanItsSize", chunked("1\r\nab\r\n0\r\n\r\n")},
        {"ChunkLineEndsInLineFeed", chunked("1\na\r\n0\r\n\r\n")},
        {"ChunkExtensionWithLineFeed", chunked("1;a\nb\r\na\r\n0\r\n\r\n")},
        {"ChunkExtensionBeyondItsLine", chunked("1;a=\"b\\\r\na\r\n")},
        {"LastChunkWithOpenQuote", chunked("0;a=\"b\r\n\r\n")},
        {"ChunkExtensionWithoutEnd", chunked("1;" + std::string(6000, 'a'))},
        {"TrailersWithoutEnd", chunked("0\r\n" + std::string(6000, 'a'))},
        // Request lines.
        {"NotHttp", std::string("\x16\x03\x01\x02\x00\x01\x00", 7)},
        {"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"NoVersion", "GET /x\r\n\r\n"},
        {"TwoSpaces", "GET  /x HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"SpaceInPath", "GET /x y HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"LowerCaseVersion", "GET /x http/1.1\r\nHost: x\r\n\r\n"},
        {"BadEscape", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"CutEscape", "GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {"EscapedNul", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
        // Limits.
        {"LongField", head_with("X-Long: " + std::string(5000, 'a') + "\r\n"), 431},
        {"LongTarget", "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
        {"ManyFields", head_with([] {
           std::string fields;
           for (int i = 0; i < 600; ++i) fields += "X-A: 1\r\n";
           return fields;
         }()),
         431},
        {"LargeLength", head_with("Content-Length: 1001\r\n"), 413},
        {"LargeChunk", chunked("3e9\r\n"), 413},
        {"ManyChunks", chunked([] {
           std::string chunks;
           for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'a') + "\r\n";
           return chunks;
         }()),
         413},
        {"LargeLengthBeforeContinue", head_with("Content-Length: 1001\r\nExpect: 100-continue\r\n"), 413},
    }),
    [](const auto& test) { return std::string(test.param.name); });

using Limits = ServerTest;

TEST_F(Limits, LetThroughWhatTheyAllow) {
  start({.max_header_bytes = 4096, .max_body_bytes = 1000});
  EXPECT_EQ(status_of(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'a'))),
            200u);
  const std::string head = "GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: ";
  EXPECT_EQ(status_of(ask(head + std::string(4096 - head.size() - 4, 'a') + "\r\n\r\n")), 200u);
  EXPECT_EQ(status_of(ask(head + std::string(4096 - head.size() - 3, 'a') + "\r\n\r\n")), 431u);
}

/// The body of somebody who sends 100 MB before he reads anything: the refusal is there at once, and when he is done he
/// finds it instead of a reset.
TEST_F(Limits, OfTheBodyAreToldToThoseWhoSendAllFirst) {
  start();
  for (const bool chunks : {false, true}) {
    RawClient client(*server);
    const std::string piece(1u << 20, 'a');
    client.send(chunks ? "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                       : "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(client.send(chunks ? "100000\r\n" + piece + "\r\n" : piece)) << i << " MB";
    EXPECT_EQ(status_of(client.read_response()), 413u);
  }
  EXPECT_TRUE(desk.empty());
}

TEST_F(Limits, OfAllBodiesTogetherAreForThoseWhoComeLast) {
  start({.max_bodies_bytes = 1000});
  RawClient first(*server), second(*server);
  const std::string head = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n", body(600, 'a');
  first.send(head + body);
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  second.send(head + body);
  const std::string refusal = second.read_response();
  EXPECT_EQ(status_of(refusal), 503u);
  EXPECT_NE(refusal.find("Retry-After: 1\r\n"), std::string::npos);
  RawClient half(*server);  // what has not come takes no room
  half.send(head + body.substr(0, 300));
  EXPECT_EQ(half.read_until("\r\n", 0.05), "");
  exchange->respond({.body = "done"});
  EXPECT_EQ(body_of(first.read_response()), "done");
  half.send(body.substr(300));
  const auto third = desk.take();
  ASSERT_TRUE(third);
  first.close();
  half.reset();
  EXPECT_TRUE(eventually([&] { return server->num_connections() <= 1; })) << "more than the refused one";
  EXPECT_EQ(status_of(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + std::string(900, 'a'))),
            200u);
}

TEST_F(Limits, CountWhatChunksCarryBesideTheBody) {
  start();
  RawClient client(*server);
  client.send("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "1;" + std::string(4000, 'a') + "\r\nb\r\n";
  for (int i = 0; i < 20; ++i) client.send(chunk);
  EXPECT_EQ(status_of(client.read_response()), 400u);
}

}  // namespace
}  // namespace gossamer::http
