#include "server/call.h"

#include <algorithm>
#include <cmath>

#include "harmony/json_text.h"
#include "server/access_record.h"
#include "server/app.h"
#include "server/generation.h"
#include "server/metrics.h"

namespace gossamer::server {
namespace {

ApiError not_loaded_yet(unsigned percent) {
  ApiError error =
      server_error(503, "model_loading", fmt::format("the model is being loaded ({} %); try again soon", percent));
  error.retry_after_seconds = 2;
  return error;
}

ApiError unknown_model(std::string_view wanted, const ModelNames& names) {
  constexpr size_t kLongest = 100;
  std::string known = names.name;
  for (const std::string& alias : names.aliases) known += ", " + alias;
  ApiError error = bad_request("model", fmt::format("the model \"{}\" does not exist here; what is loaded is called {}",
                                                    wanted.substr(0, kLongest), known));
  error.status = 404;
  error.code = "model_not_found";
  return error;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// %41 and + of a query decoded.
std::string query_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (escaped) {
      out.push_back(static_cast<char>(16 * hex_value(text[i + 1]) + hex_value(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

void Call::respond(const json::value& body, unsigned status) const {
  exchange->respond(json_response(body, status));
}

void Call::respond(const ApiError& error) const {
  if (error.status == 429) app.metrics().count_refused_busy();
  exchange->respond(error_response(error, error_style_of(request().path)));
}

std::optional<json::object> Call::read_body(bool may_be_empty) const {
  const std::string& body = request().body;
  if (may_be_empty && body.find_first_not_of(" \t\r\n") == std::string::npos) return json::object();
  Result<json::value> value = harmony::parse_json_like_serde(body, "the body");
  if (!value.ok()) {
    respond(bad_request("", value.error().message));
    return std::nullopt;
  }
  if (!value->is_object()) {
    respond(bad_request("", "the body must be a JSON object"));
    return std::nullopt;
  }
  return std::move(value->get_object());
}

std::shared_ptr<ServedModel> Call::find_model(std::string_view name) const {
  std::shared_ptr<ServedModel> model = app.model();
  if (!model) {
    respond(not_loaded_yet(app.loading_percent()));
    return nullptr;
  }
  if (!model->names().matches(name)) {
    respond(unknown_model(name, model->names()));
    return nullptr;
  }
  record->model = model->name();
  return model;
}

void Call::complete(AnswerLimits& limits) const {
  const AppOptions& options = app.options();
  limits.tenant = tenant;
  for (const double seconds : {options.timeout_seconds, timeout_seconds})
    if (seconds > 0)
      limits.timeout_seconds = limits.timeout_seconds > 0 ? std::min(limits.timeout_seconds, seconds) : seconds;
  if (limits.max_tokens == 0) limits.max_tokens = options.max_tokens_default;
}

ApiError refused(const Error& error, const ServedModel& model, const std::string& param) {
  ApiError answer = api_error_of(error);
  if (error.code == ErrorCode::kTooLong) {
    answer.param = param;
    // Many clients know this error by these words alone, and then shorten the conversation.
    answer.message =
        fmt::format("This model's maximum context length is {} tokens: {}", model.max_sequence_tokens(), error.message);
  }
  if (error.code == ErrorCode::kBusy)
    answer.retry_after_seconds =
        static_cast<unsigned>(std::clamp(std::ceil(model.source().stats().predicted_wait_seconds), 1.0, 3600.0));
  return answer;
}

void Call::follow(const std::shared_ptr<Generation>& generation, const std::string& answer_id) const {
  app.add_running(request_id, tenant, generation);
  app.add_running(answer_id, tenant, generation);
  exchange->on_gone([weak = std::weak_ptr(generation)] {
    if (const auto running = weak.lock()) running->cancel();
  });
}

std::optional<std::string> Call::query(std::string_view key) const {
  std::string_view rest = request().query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (query_decoded(pair.substr(0, equals)) != key) continue;
    return equals == std::string_view::npos ? std::string() : query_decoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace gossamer::server
