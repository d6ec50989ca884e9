#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "http/http_client.h"
#include "http/sse_parser.h"
#include "tools/mcp_connection.h"

namespace gossamer::tools {
namespace {

constexpr size_t kMostBytes = 16 << 20;
constexpr double kFarewellSeconds = 5;

/// One POST and what comes back, on the client's thread: the answer to a request, as soon as it is there.
class Post {
 public:
  explicit Post(std::optional<int64_t> request) : request_(request) {}

  http::CallSink sink() {
    http::CallSink sink;
    sink.on_head = [this](unsigned status, const http::Headers& headers) { take_head(status, headers); };
    sink.on_body = [this](std::string_view bytes) { take_body(bytes); };
    sink.on_end = [this](const http::CallEnd& end) { take_end(end); };
    return sink;
  }

  /// Until there is an answer, or none will come, or nobody waits.
  void wait(const Cancellation& cancelled) {
    constexpr auto kLook = std::chrono::milliseconds(50);
    std::unique_lock lock(mutex_);
    while (!done_ && !cancelled.requested()) news_.wait_for(lock, kLook);
  }

  // After the client has ended.
  unsigned status() const { return status_; }
  const std::string& session() const { return session_; }
  const std::optional<McpMessage>& answer() const { return answer_; }
  const std::string& failure() const { return failure_; }

 private:
  void take_head(unsigned status, const http::Headers& headers) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    if (const std::string* session = headers.find("Mcp-Session-Id")) session_ = *session;
    const std::string* type = headers.find("Content-Type");
    is_stream_ = type && type->starts_with("text/event-stream");
  }
  void take_body(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    received_bytes_ += bytes.size();
    if (received_bytes_ > kMostBytes) return finish("its answer is too long");
    if (is_stream_)
      (void)events_.read(bytes);
    else
      body_ += bytes;
  }
  void take_end(const http::CallEnd& end) {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    if (end.failure) return finish(end.message);
    if (!is_stream_) take_message(body_);
    if (!done_) finish(answer_ || !request_ ? "" : "it gives no answer to the request");
  }
  void take_message(std::string_view text) {
    if (!request_ || text.empty()) return;
    Result<std::vector<McpMessage>> messages = parse_mcp_messages(text);
    if (!messages.ok()) return;
    for (McpMessage& message : *messages) {
      if (message.answered_id() != request_) continue;
      answer_ = std::move(message);
      return finish("");
    }
  }
  void finish(std::string failure) {
    failure_ = std::move(failure);
    done_ = true;
    news_.notify_all();
  }

  const std::optional<int64_t> request_;
  std::mutex mutex_;
  std::condition_variable news_;
  http::SseParser events_{[this](const http::SseEvent& event) { take_message(event.data); }, kMostBytes};
  unsigned status_ = 0;
  bool is_stream_ = false, done_ = false;
  size_t received_bytes_ = 0;
  std::string session_, body_, failure_;
  std::optional<McpMessage> answer_;
};

class McpHttp final : public McpConnection {
 public:
  McpHttp(std::string url, std::string path, std::unique_ptr<http::HttpClient> farewells)
      : url_(std::move(url)), path_(std::move(path)), farewells_(std::move(farewells)) {}

  bool is_open() override {
    const std::lock_guard lock(mutex_);
    return is_open_;
  }

  Result<McpMessage> ask(std::string_view method, const json::value& params, Clock::time_point deadline,
                         const Cancellation& cancelled) override {
    const int64_t id = next_id_++;
    Post post(id);
    const Status sent = send(post, mcp_request(id, method, params), deadline, cancelled);
    if (sent.ok() && post.answer()) return *post.answer();
    const bool gave_up = cancelled.requested() || Clock::now() >= deadline;
    if (gave_up && method != "initialize") say_farewell(id);  // that one must not be cancelled
    if (!sent.ok()) return sent.error();
    return no_answer(post.failure().empty() ? "its time was over" : post.failure());
  }

  Status tell(std::string_view method, Clock::time_point deadline, const Cancellation& cancelled) override {
    Post post(std::nullopt);
    return send(post, mcp_notification(method), deadline, cancelled);
  }

  void agree_on(const std::string& version) override {
    const std::lock_guard lock(mutex_);
    version_ = version;
  }

 private:
  static Error no_answer(std::string_view why) {
    return make_error(ErrorCode::kIo, "the server has no answer: {}", why);
  }

  http::ClientRequest request_of(std::string text, double seconds) {
    http::ClientRequest request;
    request.path = path_;
    request.headers.add("Accept", "application/json, text/event-stream");
    const std::lock_guard lock(mutex_);
    if (!version_.empty()) request.headers.add("MCP-Protocol-Version", version_);
    if (!session_.empty()) request.headers.add("Mcp-Session-Id", session_);
    request.body = std::move(text);
    request.timeout_seconds = seconds;
    return request;
  }

  /// Nobody waits for what comes of it.
  void say_farewell(int64_t id) {
    farewells_->send(request_of(mcp_cancelled(id, "nobody waits for it any more"), kFarewellSeconds), {});
  }

  Status send(Post& post, std::string text, Clock::time_point deadline, const Cancellation& cancelled) {
    GOS_TRY(std::unique_ptr<http::HttpClient> client, http::HttpClient::create(url_));
    const double seconds = std::chrono::duration<double>(deadline - Clock::now()).count();
    constexpr double kLeast = 0.001, kMost = 24 * 3600;
    const auto call = client->send(request_of(std::move(text), std::clamp(seconds, kLeast, kMost)), post.sink());
    post.wait(cancelled);
    client->cancel(call);
    client.reset();  // waits for its last word: `post` is ours again
    return settle(post, cancelled);
  }

  Status settle(const Post& post, const Cancellation& cancelled) {
    if (cancelled.requested()) return no_answer("nobody waits for it any more");
    const std::lock_guard lock(mutex_);
    if (post.status() == 404 && !session_.empty()) {
      is_open_ = false;
      return make_error(ErrorCode::kNotFound, "the server has no answer: the session is over");
    }
    if (!post.session().empty()) session_ = post.session();
    if (post.status() >= 400) return no_answer(fmt::format("status {}", post.status()));
    if (post.status() == 0) return no_answer(post.failure());
    return {};
  }

  const std::string url_, path_;
  std::atomic<int64_t> next_id_ = 1;
  std::mutex mutex_;
  std::string session_, version_;  // empty: none yet
  bool is_open_ = true;
  const std::unique_ptr<http::HttpClient> farewells_;
};

}  // namespace

McpConnector make_mcp_http(std::string url) {
  return [url = std::move(url)]() -> Result<std::shared_ptr<McpConnection>> {
    // A query stays with the path; the client's own address has none.
    const size_t host = url.find("://");
    const size_t split = std::min(url.find('/', host == std::string::npos ? 0 : host + 3), url.size());
    std::string server = url.substr(0, split), path = split < url.size() ? url.substr(split) : "/";
    GOS_TRY(std::unique_ptr<http::HttpClient> farewells, http::HttpClient::create(server));
    return std::shared_ptr<McpConnection>(
        std::make_shared<McpHttp>(std::move(server), std::move(path), std::move(farewells)));
  };
}

}  // namespace gossamer::tools
