#include "server/api_error.h"

#include <utility>

#include "base/utf8.h"
#include "harmony/json_text.h"

namespace gossamer::server {
namespace {

/// Sentences quote what clients sent, perhaps cut in the middle of a character.
json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(utf8_lossy(*text)) : json::value(nullptr);
}

}  // namespace

ApiError bad_request(std::string param, std::string message) {
  ApiError error;
  error.message = std::move(message);
  if (!param.empty()) error.param = std::move(param);
  return error;
}

ApiError server_error(unsigned status, std::string code, std::string message) {
  ApiError error;
  error.status = status;
  error.type = "server_error";
  error.code = std::move(code);
  error.message = std::move(message);
  return error;
}

ApiError api_error_of(const Error& error) {
  ApiError answer;
  answer.message = error.message;
  switch (error.code) {
    case ErrorCode::kInvalidInput:
    case ErrorCode::kUnsupported:
      return answer;
    case ErrorCode::kTooLong:
      answer.code = "context_length_exceeded";
      return answer;
    case ErrorCode::kNotFound:
      answer.status = 404;
      return answer;
    case ErrorCode::kBusy:
      answer.status = 429;
      answer.type = "rate_limit_error";
      answer.code = "rate_limit_exceeded";
      answer.retry_after_seconds = 1;
      return answer;
    case ErrorCode::kCancelled:
      answer.status = 503;
      answer.type = "server_error";
      answer.code = "shutting_down";
      answer.message = "the server is shutting down; try another one, or again later";
      answer.retry_after_seconds = 5;
      return answer;
    case ErrorCode::kIo:
      break;
  }
  answer.status = 500;
  answer.type = "server_error";
  answer.message = "the server could not do this; its log says more";
  return answer;
}

json::object openai_error_body(const ApiError& error) {
  return {{"error",
           {{"message", utf8_lossy(error.message)},
            {"type", error.type},
            {"param", or_null(error.param)},
            {"code", or_null(error.code)}}}};
}

json::object ollama_error_body(const ApiError& error) {
  return {{"error", utf8_lossy(error.message)}};
}

ErrorStyle error_style_of(std::string_view path) {
  return path.starts_with("/api/") ? ErrorStyle::kOllama : ErrorStyle::kOpenAi;
}

http::Response error_response(const ApiError& error, ErrorStyle style) {
  http::Response response =
      json_response(style == ErrorStyle::kOllama ? ollama_error_body(error) : openai_error_body(error), error.status);
  if (error.retry_after_seconds) response.headers.add("Retry-After", std::to_string(*error.retry_after_seconds));
  if (error.status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  return response;
}

http::Response json_response(const json::value& body, unsigned status) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", "application/json");
  response.body = harmony::compact_json(body);
  return response;
}

}  // namespace gossamer::server
