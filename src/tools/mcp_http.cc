#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "http/http_client.h"
#include "http/sse_parser.h"
#include "tools/mcp_client.h"

namespace gossamer::tools {
namespace {

constexpr size_t kMostBytes = 16 << 20;

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

  /// Until there is an answer, or none will come.
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
    Result<McpMessage> message = parse_mcp_message(text);
    if (!message.ok() || !message->answers(*request_)) return;
    answer_ = std::move(*message);
    finish("");
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

class McpHttp final : public McpTransport {
 public:
  explicit McpHttp(std::string url) : url_(std::move(url)) {}

  Status open(Clock::time_point, const Cancellation&) override {
    session_.clear();
    is_open_ = true;
    return {};
  }
  bool is_closed() const override { return !is_open_; }
  bool may_repeat() const override { return !is_open_; }  // the session was over

  Result<McpMessage> ask(int64_t id, const std::string& text, Clock::time_point deadline,
                         const Cancellation& cancelled) override {
    Post post(id);
    GOS_TRY_STATUS(send(post, text, deadline, cancelled));
    if (post.answer()) return *post.answer();
    return no_answer(post.failure().empty() ? "its time was over" : post.failure());
  }

  Status tell(const std::string& text, Clock::time_point deadline, const Cancellation& cancelled) override {
    Post post(std::nullopt);
    return send(post, text, deadline, cancelled);
  }

 private:
  static Error no_answer(std::string_view why) {
    return make_error(ErrorCode::kIo, "the server has no answer: {}", why);
  }

  Status send(Post& post, const std::string& text, Clock::time_point deadline, const Cancellation& cancelled) {
    // A query stays with the path; the client's own address has none.
    const size_t host = url_.find("://");
    const size_t path = std::min(url_.find('/', host == std::string::npos ? 0 : host + 3), url_.size());
    GOS_TRY(std::unique_ptr<http::HttpClient> client, http::HttpClient::create(url_.substr(0, path)));
    http::ClientRequest request;
    request.path = path < url_.size() ? url_.substr(path) : "/";
    request.headers.add("Accept", "application/json, text/event-stream");
    request.headers.add("MCP-Protocol-Version", kMcpVersion);
    if (!session_.empty()) request.headers.add("Mcp-Session-Id", session_);
    request.body = text;
    request.timeout_seconds =
        std::clamp(std::chrono::duration<double>(deadline - Clock::now()).count(), 0.001, 24 * 3600.0);
    const auto call = client->send(std::move(request), post.sink());
    post.wait(cancelled);
    client->cancel(call);
    client.reset();  // waits for its last word: `post` is ours again
    return settle(post, cancelled);
  }

  Status settle(const Post& post, const Cancellation& cancelled) {
    if (cancelled.requested()) return no_answer("nobody waits for it any more");
    if (!post.session().empty()) session_ = post.session();
    if (post.status() == 404 && !session_.empty()) is_open_ = false;  // the session is over
    if (post.status() >= 400) return no_answer(fmt::format("status {}", post.status()));
    if (post.status() == 0) return no_answer(post.failure());
    return {};
  }

  const std::string url_;
  std::string session_;
  bool is_open_ = false;
};

}  // namespace

std::unique_ptr<McpTransport> make_mcp_http(std::string url) {
  return std::make_unique<McpHttp>(std::move(url));
}

}  // namespace gossamer::tools
