#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tools/mcp_messages.h"

namespace gossamer::tools {

/// How messages get to an MCP server and back. One thread at a time.
class McpTransport {
 public:
  virtual ~McpTransport() = default;
  /// Begins anew: whatever was open is closed. Errors: the server cannot be reached.
  virtual Status open(Clock::time_point deadline, const Cancellation& cancelled) = 0;
  /// True where open() must come first: it never did, or the server has gone.
  virtual bool is_closed() const = 0;
  /// True where the last request was refused before it was looked at, so that it may be sent once more.
  virtual bool may_repeat() const { return false; }
  /// Sends a request and waits for its answer; whatever else comes meanwhile is answered or passed over. Errors: no
  /// answer in time, nothing that is MCP, the server has gone.
  virtual Result<McpMessage> ask(int64_t id, const std::string& text, Clock::time_point deadline,
                                 const Cancellation& cancelled) = 0;
  virtual Status tell(const std::string& text, Clock::time_point deadline, const Cancellation& cancelled) = 0;
};

/// A process, spoken to in lines through its stdin and stdout. `command`: parted at blanks, quotes keep them. It runs
/// with the rights of this program: the operator chose it.
std::unique_ptr<McpTransport> make_mcp_stdio(std::string command);
/// "Streamable HTTP": requests are POSTs, answers JSON or server-sent events.
std::unique_ptr<McpTransport> make_mcp_http(std::string url);

/// A server of the Model Context Protocol. Any thread; one request at a time, others wait for their turn until their
/// own deadline. A server that went away is begun anew with the next request;
/// a call that it went away in is not repeated.
class McpClient {
 public:
  explicit McpClient(std::unique_ptr<McpTransport> transport) : transport_(std::move(transport)) {}

  Result<std::vector<harmony::ToolDescription>> list_tools(Clock::time_point deadline, const Cancellation& cancelled);
  /// Errors: the server gives none of its own: those are results.
  Result<json::value> call(std::string_view tool, const json::object& arguments, Clock::time_point deadline,
                           const Cancellation& cancelled);

 private:
  Result<json::value> request(std::string_view method, const json::value& params, Clock::time_point deadline,
                              const Cancellation& cancelled);
  Result<json::value> request_in_turn(std::string_view method, const json::value& params, Clock::time_point deadline,
                                      const Cancellation& cancelled);
  /// False: the deadline or a cancellation came first.
  bool take_turn(Clock::time_point deadline, const Cancellation& cancelled);
  void give_turn();
  Status begin(Clock::time_point deadline, const Cancellation& cancelled);
  Result<json::value> exchange(std::string_view method, const json::value& params, Clock::time_point deadline,
                               const Cancellation& cancelled);

  std::mutex mutex_;
  std::condition_variable turn_is_free_;
  bool busy_ = false;
  const std::unique_ptr<McpTransport> transport_;
  int64_t next_id_ = 1;
};

}  // namespace gossamer::tools
