#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/mcp_connection.h"

namespace gossamer::tools {

/// A server of the Model Context Protocol. Any thread; requests of several go side by side over one connection. A
/// server that went away is begun anew with the next request; a call that it went away in is not repeated.
class McpClient {
 public:
  explicit McpClient(McpConnector connect) : connect_(std::move(connect)) {}
  /// After the last request.
  ~McpClient() { closing_.request(); }
  McpClient(const McpClient&) = delete;
  McpClient& operator=(const McpClient&) = delete;

  Result<std::vector<harmony::ToolDescription>> list_tools(Clock::time_point deadline, const Cancellation& cancelled);
  /// Errors: the server gives none of its own: those are results.
  Result<json::value> call(std::string_view tool, const json::object& arguments, Clock::time_point deadline,
                           const Cancellation& cancelled);

 private:
  using Begun = Result<std::shared_ptr<McpConnection>>;

  Result<json::value> request(std::string_view method, const json::value& params, Clock::time_point deadline,
                              const Cancellation& cancelled);
  /// The open connection; waits where it is being begun.
  Begun connection(Clock::time_point deadline, const Cancellation& cancelled);
  std::shared_future<Begun> latest();
  /// Connects and greets, on a thread of its own: nobody who goes away takes the beginning with them.
  Begun begin() const;

  const McpConnector connect_;
  Cancellation closing_;
  std::mutex mutex_;
  std::shared_future<Begun> latest_;  // guarded by mutex_; its end waits for a beginning
};

}  // namespace gossamer::tools
