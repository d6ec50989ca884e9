#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "http/exchange.h"

namespace gossamer::server {

/// Why a request is refused, in OpenAI's terms.
struct ApiError {
  unsigned status = 400;
  std::string message;  ///< for people; never a path or an address of ours
  std::string type = "invalid_request_error";
  std::optional<std::string> param;  ///< the field at fault: "messages[2].content"
  std::optional<std::string> code;   ///< for programs: "model_not_found"
  std::optional<unsigned> retry_after_seconds = {};
};

ApiError bad_request(std::string param, std::string message);
/// What is the server's own fault, or only for now.
ApiError server_error(unsigned status, std::string code, std::string message);
/// An Error of an inner room, for a client: kInvalidInput 400, kTooLong 400 context_length_exceeded, kNotFound 404,
/// kUnsupported 400, kBusy 429 with Retry-After, the rest 500 or 503 without telling what happened inside.
ApiError api_error_of(const Error& error);

/// {"error": {"message", "type", "param", "code"}}
json::object openai_error_body(const ApiError& error);
/// {"error": "text"}
json::object ollama_error_body(const ApiError& error);

enum class ErrorStyle : uint8_t { kOpenAi, kOllama };
/// By the path: /api/ is Ollama's.
ErrorStyle error_style_of(std::string_view path);

/// The answer that tells it: status, body in that style, Retry-After where there is a time.
http::Response error_response(const ApiError& error, ErrorStyle style);
http::Response json_response(const json::value& body, unsigned status = 200);

}  // namespace gossamer::server
