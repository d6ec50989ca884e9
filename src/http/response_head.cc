#include "http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "http/ascii.h"

namespace gossamer::http {

namespace {

/// "Sun, 22 Nov 2026 08:00:00 GMT" (RFC 9110, section 5.6.7), in English whatever the locale.
const std::string& date_now() {
  static thread_local std::time_t written = 0;
  static thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now == written) return text;
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  written = now;
  return text;
}

}  // namespace

const char* reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

bool is_transport_field(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date", "Keep-Alive"})
    if (equal_ignoring_case(name, own)) return true;
  return false;
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  head.append("\r\n");
}

std::string format_response_head(unsigned status, const Headers& headers, const BodyFraming& framing, bool keep_alive,
                                 bool http_1_0) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  append_field(head, "Date", date_now());
  if (framing.kind == BodyFraming::Kind::kLength)
    append_field(head, "Content-Length", std::to_string(framing.length_bytes));
  if (framing.kind == BodyFraming::Kind::kChunked) append_field(head, "Transfer-Encoding", "chunked");
  if (!keep_alive)
    append_field(head, "Connection", "close");
  else if (http_1_0)
    append_field(head, "Connection", "keep-alive");
  for (const auto& [name, value] : headers.fields())
    if (!is_transport_field(name)) append_field(head, name, value);
  return head.append("\r\n");
}

}  // namespace gossamer::http
