#include <gmock/gmock.h>

#include "http/request_reader.h"
#include "http/request_target.h"
#include "http/response_reader.h"
#include "http/sse_parser.h"
#include "http/url.h"

namespace gossamer::http {
namespace {

using ::testing::ElementsAre;

TEST(RequestTarget, IsTakenApart) {
  const struct {
    const char *target, *path, *query;
  } cases[] = {
      {"/", "/", ""},
      {"/v1/models/openai%2Fgpt-oss-20b?x=%2F&y", "/v1/models/openai/gpt-oss-20b", "x=%2F&y"},
      {"/a?b?c", "/a", "b?c"},
      {"/a#b?c", "/a", ""},
      {"http://host:80/a", "/a", ""},
      {"http://host", "/", ""},
      {"http://host?q", "/", "q"},
      {"*", "*", ""},
      {"/a://b", "/a://b", ""},
      {"/%c3%A9", "/\xc3\xa9", ""},
  };
  for (const auto& each : cases) {
    const auto parsed = parse_request_target(each.target);
    ASSERT_TRUE(parsed) << each.target;
    EXPECT_EQ(parsed->path, each.path) << each.target;
    EXPECT_EQ(parsed->query, each.query) << each.target;
  }
  for (const char* wrong : {"/%", "/%1", "/%g0", "/%00", "/a%0"}) EXPECT_FALSE(parse_request_target(wrong)) << wrong;
}

TEST(Url, NamesAServer) {
  const struct {
    const char *text, *host;
    uint16_t port;
    const char *path, *authority;
    bool tls;
  } cases[] = {
      {"http://localhost:8000/v1/", "localhost", 8000, "/v1", "localhost:8000", false},
      {"https://api.example.org", "api.example.org", 443, "", "api.example.org", true},
      {"http://[::1]:80", "::1", 80, "", "[::1]", false},
      {"https://[::1]:8443/a/b", "::1", 8443, "/a/b", "[::1]:8443", true},
      {"127.0.0.1:9000", "127.0.0.1", 9000, "", "127.0.0.1:9000", false},
  };
  for (const auto& each : cases) {
    const auto url = parse_url(each.text);
    ASSERT_TRUE(url.ok()) << url.error().message;
    EXPECT_EQ(url->host, each.host);
    EXPECT_EQ(url->port, each.port);
    EXPECT_EQ(url->path, each.path);
    EXPECT_EQ(url->authority(), each.authority);
    EXPECT_EQ(url->tls, each.tls);
  }
  EXPECT_EQ(parse_url("unix:/run/x.sock")->unix_socket, "/run/x.sock");
  for (const char* wrong : {"", "ftp://x", "http://", "http://x:0", "http://x:70000", "http://x:80a", "http://u@x",
                            "http://[::1", "http://x/?q", "unix:", "http://[::1]8000"})
    EXPECT_FALSE(parse_url(wrong).ok()) << wrong;
}

std::vector<std::string> events_of(std::string_view text, size_t piece_bytes) {
  std::vector<std::string> events;
  SseParser parser([&](const SseEvent& event) { events.push_back(event.event + "|" + event.data + "|" + event.id); });
  for (size_t i = 0; i < text.size(); i += piece_bytes) EXPECT_TRUE(parser.read(text.substr(i, piece_bytes)));
  return events;
}

TEST(SseParser, ReadsEventsHoweverTheyArrive) {
  using namespace std::string_view_literals;
  const std::string_view text =
      "\xef\xbb\xbf"
      "data: one\n\n"
      ": a comment\n\n"
      "event: add\r\nid: 7\r\ndata:two\r\ndata:  lines\r\n\r\n"
      "data\rdata\r\r"
      "event: dropped, for it has no data\n\n"
      "unknown: x\nretry: 5\ndata: [DONE]\n\n"
      "id: no\0good\ndata: a:b\n\n"
      "data: cut off\n"sv;
  for (size_t piece_bytes = 1; piece_bytes < text.size(); ++piece_bytes)
    EXPECT_THAT(events_of(text, piece_bytes), ElementsAre("|one|", "add|two\n lines|7", "|\n|7", "|[DONE]|7", "|a:b|7"))
        << piece_bytes;
}

TEST(SseParser, BoundsAnEvent) {
  SseParser parser([](const SseEvent&) {}, 100);
  EXPECT_TRUE(parser.read("data: " + std::string(80, 'x') + "\n\n"));
  EXPECT_FALSE(parser.read("data: " + std::string(101, 'x')));
  EXPECT_FALSE(parser.read("\n"));
}

/// Whatever the pieces are in which it arrives, a request is the same, and what follows it is left.
TEST(RequestReader, DoesNotCareAboutPieces) {
  const std::string request =
      "POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n5;x=y\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n";
  const std::string bytes = request + "GET /next";
  for (size_t piece_bytes = 1; piece_bytes <= bytes.size(); ++piece_bytes) {
    RequestReader reader(1000, 1000);
    std::string unread;
    size_t used = 0;
    for (size_t i = 0; i < bytes.size(); i += piece_bytes) {
      unread += bytes.substr(i, piece_bytes);
      const size_t step = reader.read(unread);
      used += step;
      unread.erase(0, step);
    }
    ASSERT_EQ(reader.state(), RequestReader::State::kDone) << piece_bytes << ": " << reader.refusal().message;
    EXPECT_EQ(used, request.size());
    EXPECT_TRUE(reader.keep_alive());
    EXPECT_EQ(reader.take_request().body, "hello0123456789abcdef");
  }
}

/// Bytes as they come from a slow peer, one more each time.
template <class Reader>
void feed_slowly(Reader& reader, std::string_view bytes) {
  std::string unread;
  for (const char byte : bytes) {
    unread += byte;
    unread.erase(0, reader.read(unread));
  }
}

/// Beast asserts that the end of an empty body comes in one piece.
TEST(RequestReader, AnEmptyChunkedBodyInPieces) {
  for (const std::string end : {"0\r\n\r\n", "0\r\nX: y\r\n\r\n", "0;a=b\r\n\r\n", "00000000\r\n\r\n"}) {
    RequestReader request(1000, 1000);
    feed_slowly(request, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + end);
    EXPECT_EQ(request.state(), RequestReader::State::kDone) << end;
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const ResponseReader::Sink sink{[](unsigned, Headers) {}, [](std::string_view) {}};
    for (size_t cut = 0; cut <= end.size(); ++cut) {  // the beginning comes together with the head
      ResponseReader response(sink, false);
      std::string unread = head + end.substr(0, cut);
      unread.erase(0, response.read(unread));
      for (const char byte : end.substr(cut)) {
        unread += byte;
        unread.erase(0, response.read(unread));
      }
      EXPECT_EQ(response.state(), ResponseReader::State::kDone) << end << " cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace gossamer::http
