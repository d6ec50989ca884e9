#include "tools/web_fetch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "http/http_client.h"
#include "tools/web_link.h"

namespace gossamer::tools {
namespace {

/// An answer as it comes, on the client's thread, and who waits for it.
struct Incoming {
  std::mutex mutex;
  std::condition_variable news;
  unsigned status = 0;
  http::Headers headers;
  std::string body;
  bool is_full = false;
  std::optional<http::CallEnd> end;
};

http::CallSink sink_of(Incoming& answer, size_t most_bytes) {
  http::CallSink sink;
  sink.on_head = [&answer](unsigned status, const http::Headers& headers) {
    const std::lock_guard lock(answer.mutex);
    answer.status = status;
    answer.headers = headers;
  };
  sink.on_body = [&answer, most_bytes](std::string_view bytes) {
    const std::lock_guard lock(answer.mutex);
    const size_t kept = std::min(bytes.size(), most_bytes - answer.body.size());
    answer.body.append(bytes.substr(0, kept));
    if (kept < bytes.size()) answer.is_full = true;
    if (answer.is_full) answer.news.notify_all();
  };
  sink.on_end = [&answer](const http::CallEnd& end) {
    const std::lock_guard lock(answer.mutex);
    answer.end = end;
    answer.news.notify_all();
  };
  return sink;
}

/// "https://host:1" and "/path?query" of an address; nothing where it is none.
std::optional<std::pair<std::string, std::string>> split(const std::string& address) {
  const bool known = address.starts_with("http://") || address.starts_with("https://");
  if (!known) return std::nullopt;
  const size_t host = address.find("://") + 3;
  const size_t path = std::min(address.find_first_of("/?#", host), address.size());
  std::string rest = address.substr(path, address.find('#', path) - path);
  if (!rest.starts_with('/')) rest.insert(0, "/");
  std::string escaped;
  for (const char c : rest) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f)
      escaped += fmt::format("%{:02X}", byte);
    else
      escaped += c;
  }
  return std::pair{address.substr(0, path), std::move(escaped)};
}

Error not_fetched(const std::string& address, std::string_view why) {
  return make_error(ErrorCode::kIo, "{} cannot be opened: {}", address.substr(0, 200), why);
}

/// One request, without following redirects.
Result<http::Response> get(const std::string& address, const FetchOptions& options, Clock::time_point deadline,
                           const Cancellation& cancelled, bool& is_cut) {
  const auto parts = split(address);
  if (!parts) return not_fetched(address, "it is no http or https address");
  http::ClientOptions client_options;
  client_options.allows_address = options.allows_address;
  Result<std::unique_ptr<http::HttpClient>> client = http::HttpClient::create(parts->first, client_options);
  if (!client.ok()) return not_fetched(address, client.error().message);
  http::ClientRequest request;
  request.method = "GET";
  request.path = parts->second;
  request.headers.add("User-Agent", "gossamer");
  request.headers.add("Accept", "text/html, application/xhtml+xml, application/json, text/plain, */*;q=0.5");
  request.timeout_seconds = std::max(0.001, std::chrono::duration<double>(deadline - Clock::now()).count());
  Incoming answer;
  const auto call = (*client)->send(std::move(request), sink_of(answer, options.most_bytes));
  {
    std::unique_lock lock(answer.mutex);
    constexpr auto kLook = std::chrono::milliseconds(50);
    while (!answer.end && !answer.is_full && !cancelled.requested()) answer.news.wait_for(lock, kLook);
  }
  (*client)->cancel(call);
  client->reset();  // waits for the end: nobody writes to the answer any more
  if (cancelled.requested()) return not_fetched(address, "nobody waits for it any more");
  const bool failed = !answer.end || answer.end->failure;
  if (failed && !answer.is_full) return not_fetched(address, answer.end ? answer.end->message : "no answer");
  is_cut = answer.is_full;
  return http::Response{answer.status, std::move(answer.headers), std::move(answer.body)};
}

}  // namespace

Result<FetchedPage> fetch_page(const std::string& address, const FetchOptions& options, Clock::time_point deadline,
                               const Cancellation& cancelled) {
  deadline = std::min(deadline, Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double>(options.seconds)));
  FetchedPage page;
  page.address = address;
  for (int i = 0; i <= options.most_redirects; ++i) {
    GOS_TRY(http::Response response, get(page.address, options, deadline, cancelled, page.is_cut));
    const bool is_redirect = response.status >= 300 && response.status < 400;
    const std::string* location = response.headers.find("Location");
    if (is_redirect && location) {
      const std::string next = resolve_link(page.address, *location);
      if (next.empty()) return not_fetched(page.address, "it leads to something that is no web page");
      page.address = next;
      continue;
    }
    if (response.status >= 400) return not_fetched(page.address, fmt::format("status {}", response.status));
    const std::string* type = response.headers.find("Content-Type");
    page.content_type = type ? *type : "";
    page.body = std::move(response.body);
    return page;
  }
  return not_fetched(address, fmt::format("more than {} redirects", options.most_redirects));
}

}  // namespace gossamer::tools
