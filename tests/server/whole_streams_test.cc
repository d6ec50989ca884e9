/// Clients that are slow, silent, many, or gone, over real sockets: what they do costs themselves, and nobody else.

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <random>

#include "http/certificate.h"
#include "http/file_limit.h"
#include "http/http_client.h"
#include "http/test_server.h"
#include "server/served_app.h"
#include "support/sanitizers.h"

namespace gossamer::server {
namespace {

using http::body_of;
using http::eventually;
using http::RawClient;
using http::status_of;
using ::testing::HasSubstr;

constexpr const char* kStream = R"({"stream":true,"messages":[{"role":"user","content":"Hi"}]})";
/// A stream that goes on for as long as a test needs it.
constexpr size_t kManyWords = 100'000;
constexpr double kTokenSeconds = 0.002;
/// For how long one stream may wait because of others; the machine itself may be busy.
constexpr double kPatienceSeconds = testing::kSanitized ? 5 : 1;
constexpr size_t kFewestEvents = testing::kSanitized ? 5 : 50;  // that come meanwhile
constexpr uint64_t kMostIdle = testing::kSanitized ? 1000 : 10'000;

Script paced(double seconds_per_token, double first_token_seconds = 0) {
  Script script;
  script.seconds_per_token = seconds_per_token;
  script.first_token_seconds = first_token_seconds;
  return script;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string chat_stream() {
  return post("/v1/chat/completions", kStream);
}

TEST(Slow, HeadersAndBodiesThatTrickle) {
  ServedApp app({long_answer(kManyWords)}, paced(kTokenSeconds), {.header_seconds = 0.3, .body_seconds = 0.3});
  Witness witness(app, chat_stream());
  std::deque<RawClient> slow;
  for (int i = 0; i < 200; ++i) {
    RawClient& client = slow.emplace_back(app.server());
    ASSERT_TRUE(client.connected());
    client.send(i % 2 ? "POST /v1/chat/completions HTTP/1.1\r\n"
                      : "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{");
  }
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (size_t i = 0; i < slow.size(); ++i) slow[i].send(i % 2 ? "X-A: b\r\n" : " ");
  }
  for (RawClient& client : slow) EXPECT_EQ(status_of(client.read_to_end()), 408u);
  EXPECT_LT(witness.stop(), kPatienceSeconds);
  EXPECT_GT(witness.num_events(), kFewestEvents);
}

/// Ten thousand, or as many as this machine lets one process have both ends of.
TEST(Slow, ThousandsOfIdleConnections) {
  ServedApp app({long_answer(kManyWords)}, paced(kTokenSeconds));
  Witness witness(app, chat_stream());
  const uint64_t count = std::min<uint64_t>(kMostIdle, (http::raise_file_limit() - 300) / 2);
  RecordProperty("connections", static_cast<int>(count));
  std::deque<RawClient> idle;
  for (uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(idle.emplace_back(app.server()).connected()) << i;
    if (i % 100 == 0) {
      ASSERT_TRUE(idle.back().send(get("/livez")));
      ASSERT_EQ(status_of(idle.back().read_response()), 200u) << i;
    }
  }
  EXPECT_TRUE(eventually([&] { return app.server().num_connections() == count + 1; }));
  EXPECT_EQ(status_of(app.ask(get("/v1/models"))), 200u);
  idle.clear();
  EXPECT_LT(witness.stop(), kPatienceSeconds);
  EXPECT_GT(witness.num_events(), kFewestEvents);
}

/// Bodies that take long to parse and to tokenize: whoever does that holds up nobody's stream.
TEST(Slow, LargeBodies) {
  ServedApp app({long_answer(kManyWords)}, paced(kTokenSeconds));
  Witness witness(app, chat_stream());
  std::mt19937 random(1);
  std::string text;  // words that nobody has seen: each is merged anew
  while (text.size() < (6u << 20)) text += static_cast<char>(random() % 8 == 0 ? ' ' : 'a' + random() % 26);
  double longest_seconds = 0;
  for (const std::string& body :
       {R"({"messages":[{"role":"user","content":")" + text + "\"}]}", R"({"prompt":")" + text + "\"}"}) {
    const std::string path = body.find("prompt") == 2 ? "/v1/completions" : "/v1/chat/completions";
    const auto begin = std::chrono::steady_clock::now();
    const std::string response = app.ask(post(path, body), 120);
    longest_seconds = std::max(longest_seconds, seconds_since(begin));
    EXPECT_THAT(response, HasSubstr("context_length_exceeded"));
  }
  RecordProperty("longest_request_seconds", std::to_string(longest_seconds));
  EXPECT_LT(witness.stop(), longest_seconds / 2 + 0.1);
}

/// Somebody who reads nothing: the engine goes on for the others, and after a while his answer is given up.
TEST(Slow, AReaderWhoStopped) {
  ServedApp app({long_answer(kManyWords)}, paced(0.0005), {.stall_seconds = 0.5});
  Witness witness(app, chat_stream());
  RawClient stalled(app.server());
  const int few_bytes = 4096;
  ::setsockopt(stalled.fd(), SOL_SOCKET, SO_RCVBUF, &few_bytes, sizeof(few_bytes));
  stalled.send(post("/v1/chat/completions", R"({"stream":true,"logprobs":true,"top_logprobs":20,)"
                                            R"("messages":[{"role":"user","content":"Hi"}]})"));
  EXPECT_TRUE(eventually([&] { return app.stats().running == 2; }));
  EXPECT_TRUE(eventually([&] { return app.stats().running == 1; }, 60)) << "it computes for nobody";
  const uint64_t seen = witness.num_events();
  EXPECT_TRUE(eventually([&] { return witness.num_events() > seen; }));
  EXPECT_LT(witness.stop(), kPatienceSeconds);
}

/// What a client asks for before it goes.
struct Request {
  const char* path;
  std::string body;
  uint32_t num_sequences = 1;
  bool streams = false;
};

std::vector<Request> requests_of_all_kinds() {
  const std::string messages = R"("messages":[{"role":"user","content":"Hi"}])";
  return {{"/v1/chat/completions", "{\"stream\":true," + messages + "}", 1, true},
          {"/v1/chat/completions", "{" + messages + "}"},
          {"/v1/completions", R"({"stream":true,"max_tokens":90000,"prompt":["one","two","three"]})", 3, true},
          {"/v1/completions", R"({"max_tokens":90000,"prompt":["one","two","three"]})", 3},
          {"/generate", R"({"max_tokens":90000,"prompt":"one"})"},
          {"/v1/responses", R"({"stream":true,"input":"Hi"})", 1, true},
          {"/v1/responses", R"({"input":"Hi"})"},
          {"/api/chat", R"({"model":"gpt-oss:20b",)" + messages + "}", 1, true},
          {"/api/generate", R"({"model":"gpt-oss:20b","prompt":"Hi","stream":false})"}};
}

void expect_cancelled_when_gone(ServedApp& app, bool reads_some) {
  for (const Request& request : requests_of_all_kinds())
    for (const bool resets : {false, true}) {
      RawClient client(app.server());
      ASSERT_TRUE(client.send(post(request.path, request.body)));
      ASSERT_TRUE(eventually([&] { return app.stats().running == request.num_sequences; })) << request.path;
      if (request.streams) {
        client.read_until("\r\n\r\n");
        if (reads_some) client.read_until("word");
      }
      resets ? client.reset() : client.close();
      EXPECT_TRUE(eventually([&] { return app.stats().running == 0; }))
          << request.path << " " << request.body << (resets ? ", reset" : ", closed");
    }
  EXPECT_TRUE(eventually([&] { return app.server().num_connections() == 0; }));
}

TEST(Gone, WhileItsPromptIsComputed) {
  ServedApp app({long_answer(kManyWords)}, paced(0.001, 3600));
  expect_cancelled_when_gone(app, false);
}

TEST(Gone, WhileItIsAnswered) {
  ServedApp app({long_answer(kManyWords)}, paced(kTokenSeconds));
  expect_cancelled_when_gone(app, true);
}

/// What keeps a stream of JSON lines alive, or asks whether somebody is there, is white space before a line.
TEST(Gone, IsNotAnOllamaClientThatHasOnlyEndedItsOwnDirection) {
  ServedApp app({short_answer()}, paced(0, 0.3));
  RawClient client(app.server());
  client.send(post("/api/chat", R"({"model":"gpt-oss:20b","messages":[{"role":"user","content":"Hi"}]})"));
  client.half_close();
  client.read_until("\r\n\r\n");
  std::string lines;
  for (;;) {  // chunk by chunk
    const size_t size = std::strtoul(client.read_until("\r\n").c_str(), nullptr, 16);
    if (size == 0) break;
    lines += client.read_until("\r\n");
    lines.resize(lines.size() - 2);
  }
  EXPECT_TRUE(lines.starts_with(" ")) << "nobody asked whether it is there";
  for (size_t begin = 0; begin < lines.size();) {
    const size_t end = lines.find('\n', begin);
    ASSERT_NE(end, std::string::npos) << lines;
    EXPECT_TRUE(parse_json(std::string_view(lines).substr(begin, end - begin), "a line").ok()) << lines;
    begin = end + 1;
  }
  EXPECT_THAT(lines, HasSubstr("\"done\":true"));
}

TEST(Doors, AreAUnixSocketAndTlsToo) {
  const http::TestCertificate certificate("whole");
  http::ServerOptions options[2];
  options[0].unix_socket = ::testing::TempDir() + "gossamer_whole.sock";
  options[1].tls = certificate.files();
  for (const http::ServerOptions& door : options) {
    ServedApp app({short_answer()}, {}, door);
    const auto client = http::HttpClient::create(app.server().address(), {.verify_tls = false});
    ASSERT_TRUE(client.ok());
    const auto answer = (*client)->fetch({.path = "/v1/chat/completions", .body = kStream, .timeout_seconds = 10});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->status, 200u);
    EXPECT_TRUE(answer->body.ends_with("data: [DONE]\n\n")) << answer->body;
  }
}

/// The process is told to end while an answer is made in the background: nobody is connected, and yet it is waited for.
TEST(Drain, WaitsForAnswersInTheBackground) {
  ServedApp app({long_answer(50)}, paced(0.01));
  const auto begun = parse_json(body_of(app.ask(post("/v1/responses", R"({"background":true,"input":"Hi"})"))), "it");
  ASSERT_TRUE(begun.ok());
  const std::string id(find_member(*begun, "id")->get_string());
  app.app().start_draining();
  EXPECT_EQ(status_of(app.ask(chat_stream())), 503u);
  EXPECT_TRUE(app.app().works_in_background());
  EXPECT_TRUE(eventually([&] { return !app.app().works_in_background(); }, 20));
  EXPECT_THAT(app.ask(get("/v1/responses/" + id)), HasSubstr("\"status\":\"completed\""));
}

}  // namespace
}  // namespace gossamer::server
