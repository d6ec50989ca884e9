#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tools/mcp_messages.h"

namespace gossamer::tools {

/// One run of an MCP server, or one session with it. Any thread; any number of requests at once.
class McpConnection {
 public:
  virtual ~McpConnection() = default;
  /// False: the server has gone, or is silent. Another connection begins it anew.
  virtual bool is_open() = 0;
  /// Sends a request and waits for its answer: a result, or an error of the server. A caller that waits no more tells
  /// the server so ("notifications/cancelled"), and the late answer is skipped. Errors: no answer in time, nobody
  /// waits, the server has gone; kNotFound: the session was over before the request was looked at, so that it may be
  /// sent once more with another.
  virtual Result<McpMessage> ask(std::string_view method, const json::value& params, Clock::time_point deadline,
                                 const Cancellation& cancelled) = 0;
  /// Sends a notification. Errors: the server has gone.
  virtual Status tell(std::string_view method, Clock::time_point deadline, const Cancellation& cancelled) = 0;
  /// The version of the protocol that both sides speak from here on.
  virtual void agree_on(const std::string& version) = 0;
};

/// Makes connections to one server. Errors: it cannot be reached, or started.
using McpConnector = std::function<Result<std::shared_ptr<McpConnection>>()>;

/// A process, spoken to in lines through its stdin and stdout. `command`: parted at blanks, quotes keep them. It runs
/// with the rights of this program: the operator chose it. A call that nobody waits for any more is followed by a ping;
/// after `longest_silence` without a word the process counts as silent.
McpConnector make_mcp_stdio(std::string command, Clock::duration longest_silence = std::chrono::seconds(30));
/// "Streamable HTTP": requests are POSTs, answers JSON or server-sent events.
McpConnector make_mcp_http(std::string url);

}  // namespace gossamer::tools
