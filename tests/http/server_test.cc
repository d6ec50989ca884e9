#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "http/certificate.h"
#include "http/http_client.h"
#include "http/test_server.h"

namespace gossamer::http {
namespace {

class Server : public ServerTest {
 protected:
  static std::string refusal(const ServerOptions& options) {
    const auto started = HttpServer::start(options, [](std::shared_ptr<Exchange>) {});
    return started.ok() ? "started" : started.error().message;
  }
  std::string fetch_echo(const std::string& url, const ClientOptions& options = {}) {
    const auto client = HttpClient::create(url, options);
    if (!client.ok()) return client.error().message;
    const auto response = (*client)->fetch({.method = "GET", .path = "/echo"});
    return response.ok() ? response->body : response.error().message;
  }

  const std::string socket_path = ::testing::TempDir() + "gossamer_server.sock";
};

TEST_F(Server, SaysWhereItListens) {
  start();
  EXPECT_GT(server->port(), 0);
  EXPECT_EQ(server->address(), "http://127.0.0.1:" + std::to_string(server->port()));
  EXPECT_EQ(fetch_echo(server->address()), "GET /echo? ");
}

TEST_F(Server, ListensOnIpv6) {
  if (refusal({.host = "::1", .port = 0}) != "started") GTEST_SKIP() << "no IPv6 here";
  start({.host = "::1"});
  EXPECT_EQ(server->address(), "http://[::1]:" + std::to_string(server->port()));
  EXPECT_EQ(fetch_echo(server->address()), "GET /echo? ");
}

TEST_F(Server, ListensOnAllAddressesOfAName) {
  start({.host = "localhost"});
  EXPECT_EQ(fetch_echo("http://127.0.0.1:" + std::to_string(server->port())), "GET /echo? ");
  EXPECT_EQ(fetch_echo("http://localhost:" + std::to_string(server->port())), "GET /echo? ");
}

TEST_F(Server, SaysWhyItCannotListen) {
  start();
  EXPECT_NE(refusal({.port = server->port()}).find("another program listens there"), std::string::npos);
  EXPECT_NE(refusal({.host = "192.0.2.1", .port = 0}).find("not one of this machine"), std::string::npos);
  EXPECT_NE(refusal({.host = "no such host", .port = 0}).find("cannot listen on no such host"), std::string::npos);
  EXPECT_NE(refusal({.unix_socket = "/nonexistent/x.sock"}).find("/nonexistent/x.sock"), std::string::npos);
  EXPECT_NE(refusal({.unix_socket = std::string(200, 'x')}).find("a shorter one"), std::string::npos);
  EXPECT_NE(refusal({.tls = TlsFiles{"/nonexistent.pem", "/nonexistent.key"}}).find("/nonexistent.pem"),
            std::string::npos);
}

TEST_F(Server, ListensOnAUnixSocketOfItsOwn) {
  start({.unix_socket = socket_path});
  EXPECT_EQ(server->port(), 0);
  EXPECT_EQ(server->address(), "unix:" + socket_path);
  struct stat file{};
  ASSERT_EQ(::stat(socket_path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(fetch_echo(server->address()), "GET /echo? ");
  EXPECT_NE(refusal({.unix_socket = socket_path}).find("another server does"), std::string::npos);
  EXPECT_EQ(fetch_echo(server->address()), "GET /echo? ") << "the second one took it away";
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(socket_path));
}

TEST_F(Server, ReplacesADeadSocketAndNothingElse) {
  start({.unix_socket = socket_path});
  std::filesystem::create_hard_link(socket_path, socket_path + ".kept");
  server.reset();
  std::filesystem::rename(socket_path + ".kept", socket_path);  // as a server leaves it that was killed
  start({.unix_socket = socket_path});
  EXPECT_EQ(fetch_echo(server->address()), "GET /echo? ");
  server.reset();

  std::ofstream(socket_path) << "precious";
  EXPECT_NE(refusal({.unix_socket = socket_path}).find("not a socket"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(socket_path));
  std::filesystem::remove(socket_path);
}

TEST_F(Server, SpeaksTls) {
  const TestCertificate certificate("server");
  start({.tls = certificate.files()});
  const std::string port = std::to_string(server->port());
  EXPECT_EQ(server->address(), "https://127.0.0.1:" + port);
  const ClientOptions believing{.authorities = certificate.files().certificate};
  EXPECT_EQ(fetch_echo("https://127.0.0.1:" + port, believing), "GET /echo? ");
  EXPECT_EQ(fetch_echo("https://localhost:" + port, believing), "GET /echo? ");
  EXPECT_EQ(fetch_echo("https://127.0.0.1:" + port, {.verify_tls = false}), "GET /echo? ");
  EXPECT_NE(fetch_echo("https://127.0.0.1:" + port).find("tls: no agreement on TLS"), std::string::npos);
}

TEST_F(Server, LosesOnlyThoseWhoDoNotSpeakTls) {
  const TestCertificate certificate("mixed"), other("other");
  start({.tls = certificate.files(), .header_seconds = 0.2});
  RawClient plain(*server), silent(*server);
  plain.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  plain.read_to_end();
  EXPECT_TRUE(plain.ended());
  silent.read_to_end();
  EXPECT_TRUE(silent.ended()) << "a handshake that never comes";
  EXPECT_EQ(fetch_echo(server->address(), {.verify_tls = false}), "GET /echo? ");
  EXPECT_NE(
      refusal({.port = 0, .tls = TlsFiles{certificate.files().certificate, other.files().key}}).find("private key"),
      std::string::npos);
}

TEST_F(Server, StreamsAndReadsLargeBodiesUnderTls) {
  const TestCertificate certificate("large");
  start({.tls = certificate.files()});
  const auto client = HttpClient::create(server->address(), {.verify_tls = false});
  ASSERT_TRUE(client.ok());
  std::string body(5u << 20, 'a');
  for (size_t i = 0; i < body.size(); i += 997) body[i] = static_cast<char>('a' + i % 26);
  const auto echoed = (*client)->fetch({.path = "/echo", .body = body});
  ASSERT_TRUE(echoed.ok()) << echoed.error().message;
  EXPECT_TRUE(echoed->body == "POST /echo? " + body);

  std::thread writer([this] {
    const auto exchange = desk.take();
    exchange->begin_stream(200, {}, {});
    for (int i = 0; i < 20'000; ++i) exchange->write("data: " + std::to_string(i) + "\n\n");
    exchange->end();
  });
  const auto streamed = (*client)->fetch({.method = "GET", .path = "/stream"});
  writer.join();
  ASSERT_TRUE(streamed.ok()) << streamed.error().message;
  EXPECT_TRUE(streamed->body.ends_with("data: 19999\n\n"));
  EXPECT_EQ(std::count(streamed->body.begin(), streamed->body.end(), ':'), 20'000);
}

TEST_F(Server, TellsOfClientsThatGoUnderTls) {
  const TestCertificate certificate("gone");
  start({.tls = certificate.files()});
  std::atomic<bool> gone{false};
  auto client = HttpClient::create(server->address(), {.verify_tls = false});
  ASSERT_TRUE(client.ok());
  (*client)->send({.path = "/slow", .body = "{}"}, {});
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  exchange->on_gone([&] { gone = true; });
  client->reset();
  EXPECT_TRUE(eventually([&] { return gone.load(); }));
}

TEST_F(Server, FinishesWhatIsUnderWayAndTakesNothingNew) {
  start();
  RawClient idle(*server), working(*server), streaming(*server), reading(*server);
  idle.send("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(idle.read_response()), 200u);
  working.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = desk.take();
  streaming.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = desk.take();
  ASSERT_TRUE(answer && stream);
  stream->begin_stream(200, {}, {});
  streaming.read_until("\r\n\r\n");
  reading.send("GET /echo HTTP/1.1\r\nHost");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));

  server->stop_accepting();
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(eventually([&] { return !RawClient(*server).connected(); }));
  EXPECT_FALSE(server->wait_idle(0.05));

  answer->respond({.body = "done"});
  const std::string response = working.read_to_end();
  EXPECT_TRUE(working.ended());
  EXPECT_EQ(body_of(response), "done");
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  reading.send(": x\r\n\r\n");
  EXPECT_EQ(status_of(reading.read_to_end()), 200u);
  stream->write("data: last\n\n");
  stream->end();
  EXPECT_TRUE(streaming.read_to_end().ends_with("data: last\n\n\r\n0\r\n\r\n"));
  EXPECT_TRUE(streaming.ended());
  EXPECT_TRUE(server->wait_idle(5));
}

TEST_F(Server, ClosesEverythingAtItsEnd) {
  start({.threads = 2});
  RawClient client(*server), idle(*server);
  client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto exchange = desk.take();
  ASSERT_TRUE(exchange);
  std::atomic<bool> gone{false};
  exchange->on_gone([&] { gone = true; });
  exchange->begin_stream(200, {}, {});
  server.reset();
  EXPECT_TRUE(gone);
  EXPECT_FALSE(exchange->write("data: 1\n\n"));
  exchange->end();
  client.read_to_end();
  EXPECT_TRUE(client.ended());
}

TEST_F(Server, MayEndWhileOthersWrite) {
  for (int round = 0; round < 20; ++round) {
    start({.threads = 2});
    RawClient client(*server);
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto exchange = desk.take();
    ASSERT_TRUE(exchange);
    exchange->begin_stream(200, {}, {});
    std::thread writer([&] {
      while (exchange->write("data: 1\n\n")) {
      }
    });
    std::thread reader([&] { client.read_to_end(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    server.reset();
    writer.join();
    reader.join();
  }
}

TEST_F(Server, RaisesTheLimitOfFiles) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{256, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  start();
  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace gossamer::http
