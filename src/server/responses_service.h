#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "server/app.h"
#include "server/call.h"
#include "server/responses_run.h"
#include "server/responses_store.h"

namespace gossamer::server {

/// What the routes of responses share: the store, and the responses that are under way.
class ResponsesService {
 public:
  explicit ResponsesService(std::shared_ptr<ResponsesStore> store) : store_(std::move(store)) {}

  const std::shared_ptr<ResponsesStore>& store() const { return store_; }

  void add_running(std::shared_ptr<ResponsesRun> run);
  void remove_running(const std::string& id);
  /// Null: none of that id is under way for that tenant.
  std::shared_ptr<ResponsesRun> find_running(const std::string& id, TenantId tenant) const;

 private:
  const std::shared_ptr<ResponsesStore> store_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<ResponsesRun>> running_;
};

/// POST /v1/responses, /v1/responses/input_tokens; GET and DELETE /v1/responses/{id}, POST {id}/cancel, GET
/// {id}/input_items. Errors: the store cannot be opened.
Status add_responses_routes(App& app, ResponsesStoreOptions options);

/// POST /v1/responses.
void create_response(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service);

/// POST /v1/responses/input_tokens: the body of a response, to how many tokens its prompt has.
void count_response_input(const std::shared_ptr<Call>& call, const std::shared_ptr<ResponsesService>& service);

/// The others.
void add_stored_responses_routes(App& app, const std::shared_ptr<ResponsesService>& service);

/// Begins the stream of events of a response; `warning`: what was ignored, where something was.
void begin_responses_stream(http::Exchange& exchange, const std::string& warning);

/// 404 for the id of a response.
ApiError no_such_response(const std::string& id, std::string param);

}  // namespace gossamer::server
