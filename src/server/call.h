#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/tenant_fairness.h"
#include "http/exchange.h"
#include "server/api_error.h"
#include "server/served_model.h"

namespace gossamer::server {

class App;
struct AccessRecord;
struct AnswerLimits;
class Generation;

/// A request that has passed the guard, and what its handler has at hand. Handlers keep it as long as they answer.
struct Call {
  App& app;
  std::shared_ptr<http::Exchange> exchange;  ///< adds x-request-id and CORS to what goes out, and notes it for the log
  std::vector<std::string> path;             ///< what stood at each {parameter}
  std::string request_id;
  TenantId tenant = 0;                   ///< who asks: its own prefix cache and its own place in line
  std::shared_ptr<AccessRecord> record;  ///< for the log: handlers add the model and the counts
  double timeout_seconds = 0;            ///< from the header x-request-deadline; 0: it sent none

  const http::Request& request() const { return exchange->request(); }
  void respond(const json::value& body, unsigned status = 200) const;
  void respond(const ApiError& error) const;
  /// The body as a JSON object. Nothing: it is none, and the 400 has been sent. An empty body is {} where
  /// `may_be_empty`.
  std::optional<json::object> read_body(bool may_be_empty = false) const;
  /// The model that `name` means. Null: there is none of that name (404), or none yet (503); it has been sent.
  std::shared_ptr<ServedModel> find_model(std::string_view name) const;
  /// Puts the caller's tenant and the server's own limit into what a request left open; of all deadlines the first
  /// counts.
  void complete(AnswerLimits& limits) const;
  /// Ends the answer when the client goes, and lets /abort find it, also by the `answer_id` that the client sees (which
  /// belongs into the record before the answer begins: from then on the record is the engine's thread's).
  void follow(const std::shared_ptr<Generation>& generation, const std::string& answer_id) const;
  /// The value of `key` in the query, %-escapes decoded.
  std::optional<std::string> query(std::string_view key) const;
};

/// Why start_generation() refused, for a client: `param` is the field that holds the prompt, and a full line tells when
/// to come again.
ApiError refused(const Error& error, const ServedModel& model, const std::string& param);

}  // namespace gossamer::server
