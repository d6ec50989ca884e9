#include "tools/mcp_client.h"

namespace gossamer::tools {
namespace {

constexpr int kMostListPages = 20;
constexpr int kMostTries = 2;
constexpr auto kLongestBeginning = std::chrono::seconds(30);

Result<json::value> result_of(McpMessage message) {
  if (message.kind == McpMessage::Kind::kError)
    return make_error(ErrorCode::kInvalidInput, "the server refuses: {}", message.error);
  return std::move(message.result);
}

}  // namespace

McpClient::Begun McpClient::begin() const {
  const Clock::time_point deadline = Clock::now() + kLongestBeginning;
  GOS_TRY(std::shared_ptr<McpConnection> connection, connect_());
  GOS_TRY(McpMessage message, connection->ask("initialize", mcp_initialize_params(), deadline, closing_));
  GOS_TRY(const json::value greeting, result_of(std::move(message)));
  GOS_TRY(const std::string version, mcp_agreed_version(greeting));
  connection->agree_on(version);
  GOS_TRY_STATUS(connection->tell("notifications/initialized", deadline, closing_));
  return connection;
}

std::shared_future<McpClient::Begun> McpClient::latest() {
  std::shared_future<Begun> previous;  // goes after the lock: a process may take a moment to end
  const std::lock_guard lock(mutex_);
  const bool is_over = latest_.valid() && latest_.wait_for(std::chrono::seconds(0)) == std::future_status::ready &&
                       !(latest_.get().ok() && latest_.get().value()->is_open());
  if (!latest_.valid() || is_over)
    previous = std::exchange(latest_, std::async(std::launch::async, [this] { return begin(); }).share());
  return latest_;
}

McpClient::Begun McpClient::connection(Clock::time_point deadline, const Cancellation& cancelled) {
  constexpr auto kLook = std::chrono::milliseconds(50);
  const std::shared_future<Begun> begun = latest();
  while (begun.wait_for(kLook) != std::future_status::ready)
    if (cancelled.requested() || Clock::now() >= deadline)
      return make_error(ErrorCode::kBusy, "the server was still being started when the time was over");
  return begun.get();
}

Result<json::value> McpClient::request(std::string_view method, const json::value& params, Clock::time_point deadline,
                                       const Cancellation& cancelled) {
  for (int tries = 1;; ++tries) {
    GOS_TRY(const std::shared_ptr<McpConnection> open, connection(deadline, cancelled));
    Result<McpMessage> message = open->ask(method, params, deadline, cancelled);
    if (message.ok()) return result_of(std::move(*message));
    if (message.error().code != ErrorCode::kNotFound || tries == kMostTries) return std::move(message).error();
  }
}

Result<std::vector<harmony::ToolDescription>> McpClient::list_tools(Clock::time_point deadline,
                                                                    const Cancellation& cancelled) {
  std::vector<harmony::ToolDescription> tools;
  json::object params;
  for (int page = 0; page < kMostListPages; ++page) {
    GOS_TRY(const json::value result, request("tools/list", params, deadline, cancelled));
    for (harmony::ToolDescription& tool : mcp_tools(result)) tools.push_back(std::move(tool));
    const std::optional<std::string> cursor = mcp_next_cursor(result);
    if (!cursor) break;
    params["cursor"] = *cursor;
  }
  return tools;
}

Result<json::value> McpClient::call(std::string_view tool, const json::object& arguments, Clock::time_point deadline,
                                    const Cancellation& cancelled) {
  return request("tools/call", mcp_call_params(tool, arguments), deadline, cancelled);
}

}  // namespace gossamer::tools
