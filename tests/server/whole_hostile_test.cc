/// Bytes that mean harm, or that nobody meant, over real sockets: each gets its status and a sentence in OpenAI's
/// shape, and the engine never hears of it.

#include <gmock/gmock.h>

#include "base/utf8.h"
#include "server/served_app.h"
#include "support/sanitizers.h"

namespace gossamer::server {
namespace {

using http::body_of;
using http::RawClient;
using http::status_of;
using ::testing::HasSubstr;

constexpr const char* kChat = R"({"messages":[{"role":"user","content":"Hi"}]})";
constexpr const char* kBodyRoutes[] = {"/v1/chat/completions",
                                       "/v1/completions",
                                       "/v1/responses",
                                       "/generate",
                                       "/tokenize",
                                       "/detokenize",
                                       "/render",
                                       "/parse",
                                       "/api/chat",
                                       "/api/generate",
                                       "/api/show",
                                       "/abort"};

/// What clients of either shape read as an error.
void expect_error(const std::string& response, unsigned status, std::string_view why) {
  EXPECT_EQ(status_of(response), status) << why << ": " << response.substr(0, 400);
  EXPECT_NE(response.find("\r\nx-request-id: req_"), std::string::npos) << why << ": " << response.substr(0, 400);
  EXPECT_TRUE(utf8_valid(body_of(response))) << why;
  const auto body = parse_json(body_of(response), "the body");
  ASSERT_TRUE(body.ok()) << why << ": " << response.substr(0, 400);
  const json::value* error = find_member(*body, "error");
  ASSERT_TRUE(error) << why;
  const json::value* message = error->is_object() ? find_member(*error, "message") : error;
  ASSERT_TRUE(message && message->is_string() && !message->get_string().empty()) << why;
  EXPECT_LT(message->get_string().size(), 2000u) << why;
}

std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Hostile, JsonOfAnyDepth) {
  ServedApp app({short_answer()});
  const std::string bodies[] = {"{\"messages\":" + repeated("[", 100'000) + repeated("]", 100'000) + "}",
                                repeated("{\"a\":", 100'000), "{\"input\":" + repeated("[{\"content\":", 100'000),
                                repeated("[", 200)};
  for (const char* path : kBodyRoutes)
    for (const std::string& body : bodies) expect_error(app.ask(post(path, body)), 400, path);
  EXPECT_EQ(status_of(app.ask(post("/v1/chat/completions", kChat))), 200u);
}

TEST(Hostile, TextThatIsNoUtf8) {
  ServedApp app({short_answer()});
  for (const char* path : kBodyRoutes)
    for (const std::string text : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\\ud800"}) {
      const std::string body = R"({"messages":[{"role":"user","content":")" + text + R"("}],"prompt":")" + text +
                               R"(","input":")" + text + R"(","model":")" + text + "\"}";
      expect_error(app.ask(post(path, body)), 400, path);
    }
  EXPECT_EQ(app.stats().prompt_tokens, 0u);
}

/// Sentences quote what was sent, some of it: the cut may fall into a character.
TEST(Hostile, WordsThatAreQuotedInErrors) {
  ServedApp app({short_answer()});
  for (const char* first : {"", "x", "xx", "xxx"}) {
    const std::string word = first + repeated("\xf0\x9f\x8e\x88", 60);
    const std::string chat = R"({"messages":[{"role":")" + word + R"(","content":""}]})";
    expect_error(app.ask(post("/v1/chat/completions", chat)), 400, "role");
    expect_error(app.ask(post("/api/chat", R"({"model":"gpt-oss:20b","messages":[{"role":")" + word + "\"}]}")), 400,
                 "Ollama's role");
    for (const char* path : {"/v1/chat/completions", "/v1/responses", "/api/chat"})
      expect_error(app.ask(post(path, R"({"model":")" + word + R"(","messages":[],"input":"Hi"})")), 404, path);
    expect_error(app.ask(post("/v1/responses", R"({"input":"Hi","previous_response_id":")" + word + "\"}")), 404, "id");
    expect_error(app.ask(post("/v1/responses", R"({"input":[{"type":"message","role":")" + word + "\"}]}")), 400,
                 "item");
    expect_error(app.ask(get("/" + repeated("%ff", 50) + first)), 404, "path");
    expect_error(app.ask(get("/v1/models/" + repeated("%f0%9f%8e%88", 40))), 404, "model");
  }
}

TEST(Hostile, BodiesThatAreTooLarge) {
  ServedApp app({short_answer()});
  (void)peak_bytes_since_last_call();
  const uint64_t before = peak_bytes_since_last_call();
  const std::string piece(1u << 20, ' ');
  for (const bool chunks : {false, true}) {
    RawClient client(app.server());
    client.send(std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n") +
                (chunks ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 104857600\r\n\r\n"));
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(client.send(chunks ? "100000\r\n" + piece + "\r\n" : piece)) << i << " MB";
    expect_error(client.read_response(), 413, chunks ? "chunks" : "length");
  }
  const uint64_t after = peak_bytes_since_last_call();
  if (!testing::kSanitized && before > 0 && after > 0) {  // sanitizers keep freed memory for themselves
    EXPECT_LT(after, before + (90u << 20)) << "more than what is allowed was kept";
  }
  expect_error(app.ask("POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n"
                       "Expect: 100-continue\r\n\r\n"),
               413, "before it is sent");
}

TEST(Hostile, HeadersThatAreTooLarge) {
  ServedApp app({short_answer()});
  const std::string large = "X-Large: " + std::string(40'000, 'a') + "\r\n";
  expect_error(app.ask(post("/v1/chat/completions", kChat, large)), 431, "one field");
  expect_error(app.ask(post("/v1/chat/completions", kChat, repeated("X-Many: 1\r\n", 4000))), 431, "many fields");
  expect_error(app.ask(get("/" + std::string(40'000, 'a'))), 431, "target");
  EXPECT_EQ(status_of(app.ask(post("/v1/chat/completions", kChat, "X-Fits: " + std::string(30'000, 'a') + "\r\n"))),
            200u);
}

/// A request behind another, which one of two readers would not see: refused before the engine hears of either.
TEST(Hostile, SmuggledRequests) {
  ServedApp app({short_answer()});
  const std::string hidden = post("/v1/chat/completions", kChat);
  const std::string length = "Content-Length: " + std::to_string(hidden.size()) + "\r\n";
  for (const std::string& fields :
       {length + "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n" + length, length + length,
        length + "Content-Length: 0\r\n", std::string("Content-Length: 0, 5\r\n"),
        std::string("Content-Length: -1\r\n"), std::string("Transfer-Encoding: chunked, identity\r\n"),
        std::string("Transfer-Encoding : chunked\r\n"), std::string("Host: y\r\n")}) {
    RawClient client(app.server());
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n0\r\n\r\n" + hidden + hidden);
    expect_error(client.read_to_end(), 400, fields);
    EXPECT_TRUE(client.ended());
  }
  expect_error(app.ask("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), 400, "no host");
  EXPECT_EQ(app.stats().prompt_tokens, 0u);
}

TEST(Hostile, MethodsThatAreNotOffered) {
  ServedApp app({short_answer()});
  const std::string wrong = app.ask(get("/v1/chat/completions"));
  expect_error(wrong, 405, "GET of a chat");
  EXPECT_THAT(wrong, HasSubstr("Allow: POST, OPTIONS\r\n"));
  EXPECT_THAT(app.ask(get("/v1/models", "DELETE")), HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  expect_error(app.ask(get("/v1/chat/completions", "BREW")), 405, "unknown");

  RawClient client(app.server());
  client.send(get("/v1/models", "HEAD") + get("/v1/models", "OPTIONS") + get("/livez"));
  const std::string head = client.read_until("\r\n\r\n"), options = client.read_until("\r\n\r\n");
  EXPECT_EQ(status_of(head), 200u);
  EXPECT_THAT(head, HasSubstr("Content-Length: "));
  EXPECT_EQ(status_of(options), 204u);
  EXPECT_THAT(options, HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_EQ(body_of(client.read_response()), R"({"status":"ok"})");
}

TEST(Unusual, RequestsThatAreAllowed) {
  ServedApp app({short_answer()});
  RawClient client(app.server());
  const std::string chat = kChat;
  // Three at once, the second one in chunks: answered in order.
  client.send(post("/v1/chat/completions", chat) +
              "POST /tokenize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "5\r\n{\"pro\r\nd;note=\"a\"\r\nmpt\": \"hello\"\r\n1\r\n}\r\n0\r\n\r\n" +
              get("/livez"));
  EXPECT_THAT(client.read_response(), HasSubstr("chat.completion"));
  const std::string tokens = client.read_response();
  EXPECT_EQ(status_of(tokens), 200u) << tokens;
  EXPECT_THAT(tokens, HasSubstr("\"tokens\":"));
  EXPECT_THAT(client.read_response(), HasSubstr(R"({"status":"ok"})"));

  client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(chat.size()) + "\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(chat);
  EXPECT_EQ(status_of(client.read_response()), 200u);

  // As netcat sends it: nothing more comes, and the answer is waited for.
  client.send(post("/v1/chat/completions", R"({"stream":true,"messages":[{"role":"user","content":"Hi"}]})"));
  client.half_close();
  EXPECT_THAT(client.read_to_end(), HasSubstr("data: [DONE]"));
  EXPECT_TRUE(client.ended());
}

}  // namespace
}  // namespace gossamer::server
