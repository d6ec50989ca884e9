#include "http/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <utility>

#include "http/ascii.h"
#include "http/chunked_body.h"
#include "http/header_lines.h"
#include "http/request_target.h"

namespace gossamer::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;
using BeastError = beast::http::error;

namespace {

/// Of each chunk that carries little: extensions and size lines may be so many times what they carry.
constexpr uint64_t kMaxChunkOverhead = 16;

std::string_view view(string_view text) {
  return {text.data(), text.size()};
}

bool is_token_character(char c) {
  return static_cast<unsigned char>(c) > ' ' && static_cast<unsigned char>(c) < 0x7f &&
         std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
}

bool has_token(const std::string& list, std::string_view token) {
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    std::string_view item = std::string_view(list).substr(begin, end - begin);
    while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
    while (item.ends_with(' ') || item.ends_with('\t')) item.remove_suffix(1);
    if (equal_ignoring_case(item, token)) return true;
    begin = end + 1;
  }
  return false;
}

/// Beast's request parser, writing into a Request.
class RequestParser : public beast::http::basic_parser<true> {
 public:
  Request request;
  int version = 11;
  bool bad_target = false;
  unsigned num_lengths = 0, num_codings = 0, num_hosts = 0;
  std::string coding;
  uint64_t body_bytes = 0;
  bool begun_chunks = false;

 private:
  void on_request_impl(beast::http::verb, string_view method, string_view target, int http_version,
                       error_code&) override {
    request.method = view(method);
    version = http_version;
    if (auto parsed = parse_request_target(view(target))) {
      request.path = std::move(parsed->path);
      request.query = std::move(parsed->query);
    } else {
      bad_target = true;
    }
  }
  void on_field_impl(beast::http::field field, string_view name, string_view value, error_code&) override {
    if (head_done_) return;  // trailers say nothing that anybody here would believe
    num_lengths += field == beast::http::field::content_length;
    num_hosts += field == beast::http::field::host;
    if (field == beast::http::field::transfer_encoding) {
      ++num_codings;
      coding = view(value);
    }
    request.headers.add(std::string(view(name)), std::string(view(value)));
  }
  void on_header_impl(error_code&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view body, error_code&) override { return append(body); }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override { begun_chunks = true; }
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override { return append(body); }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}

  size_t append(string_view body) {
    request.body.append(body.data(), body.size());
    body_bytes += body.size();
    return body.size();
  }

  bool head_done_ = false;
};

/// Beast looks for the end of a quoted chunk extension beyond its line, and would wait for it. `unread` is what it has
/// not taken: a whole line of a chunk's size, or a whole end of the body, is in there only if it does.
bool waits_for_quote(std::string_view unread) {
  if (unread.starts_with("\r\n")) unread.remove_prefix(2);
  const size_t digit = unread.find_first_not_of('0');
  const bool last_chunk = digit != unread.npos && digit > 0 && hex_digit(unread[digit]) < 0;
  return unread.find(last_chunk ? "\r\n\r\n" : "\r\n") != unread.npos;
}

Refusal refusal_of(error_code error) {
  if (error == BeastError::body_limit) return {413, "The request's body is too large."};
  if (error == BeastError::header_limit) return {431, "The request's header is too large."};
  if (error == BeastError::bad_method || error == BeastError::bad_target)
    return {400, "The request line is malformed."};
  if (error == BeastError::bad_version) return {400, "The request line does not end in HTTP/1.1 or HTTP/1.0."};
  if (error == BeastError::bad_content_length || error == BeastError::multiple_content_length ||
      error == BeastError::bad_transfer_encoding)
    return {400, "The request says in more than one way, or in a wrong one, how long its body is."};
  if (error == BeastError::bad_chunk || error == BeastError::bad_chunk_extension)
    return {400, "A chunk of the request's body is malformed."};
  return {400, "A header field of the request is malformed."};
}

}  // namespace

struct RequestReader::Impl {
  Impl(uint64_t max_header_bytes, uint64_t max_body) : max_head_bytes(max_header_bytes), lines(max_header_bytes) {
    parser.header_limit(UINT32_MAX);  // the lines are counted before Beast sees them
    parser.body_limit(max_body);
    parser.eager(true);
  }

  void refuse(Refusal why) {
    refusal = std::move(why);
    state = State::kRefused;
  }

  size_t read_head(std::string_view bytes);
  size_t read_body(std::string_view bytes);
  std::optional<Refusal> check_head() const;

  uint64_t max_head_bytes;
  HeaderLines lines;
  RequestParser parser;
  State state = State::kHead;
  Refusal refusal;
  uint64_t wire_body_bytes = 0;
};

/// What is well-formed and yet not to be believed.
std::optional<Refusal> RequestReader::Impl::check_head() const {
  if (parser.bad_target) return Refusal{400, "The request's path holds a malformed %-escape."};
  if (parser.num_codings > 0 && parser.num_lengths > 0)
    return Refusal{400, "The request has both Content-Length and Transfer-Encoding."};
  if (parser.num_lengths > 1) return Refusal{400, "The request has more than one Content-Length."};
  if (const auto* length = parser.request.headers.find("Content-Length"); length && length->find(',') != length->npos)
    return Refusal{400, "The request has more than one Content-Length."};
  if (parser.num_codings > 0 && (parser.num_codings > 1 || !equal_ignoring_case(parser.coding, "chunked")))
    return Refusal{400, "The request has a Transfer-Encoding other than chunked."};
  if (parser.num_codings > 0 && parser.version < 11) return Refusal{400, "HTTP/1.0 has no Transfer-Encoding."};
  if (parser.num_hosts > 1) return Refusal{400, "The request has more than one Host."};
  if (parser.num_hosts == 0 && parser.version >= 11) return Refusal{400, "The request has no Host."};
  return std::nullopt;
}

size_t RequestReader::Impl::read_head(std::string_view bytes) {
  if (bytes.empty()) return 0;
  // An empty line before the request line is allowed (RFC 9112, section 2.2).
  if (bytes.starts_with("\r\n")) return 2;
  if (bytes == "\r") return 0;
  if (!is_token_character(bytes[0])) {
    refuse({400, "This is not an HTTP request."});
    return 0;
  }
  switch (lines.scan(bytes)) {
    case HeaderLines::State::kIncomplete:
      return 0;
    case HeaderLines::State::kTooLong:
      refuse({431, "The request's header is larger than the " + std::to_string(max_head_bytes) +
                       " bytes that are allowed."});
      return 0;
    case HeaderLines::State::kMalformed:
      refuse({400, lines.problem()});
      return 0;
    case HeaderLines::State::kComplete:
      break;
  }
  error_code error;
  const size_t used = parser.put(asio::buffer(bytes.data(), lines.size_bytes()), error);
  if (error == BeastError::need_more) error = parser.is_header_done() ? error_code{} : BeastError::bad_field;
  // A refusal for its size must not hide that the size is said in two ways.
  if (auto wrong = check_head(); wrong && (!error || error == BeastError::body_limit)) {
    refuse(std::move(*wrong));
    return used;
  }
  if (error) {
    refuse(refusal_of(error));
    return used;
  }
  state = parser.is_done() ? State::kDone : State::kBody;
  return used;
}

size_t RequestReader::Impl::read_body(std::string_view bytes) {
  if (parser.chunked() && !parser.begun_chunks && may_be_cut_empty_body(bytes)) return 0;
  error_code error;
  const size_t used = parser.put(asio::buffer(bytes.data(), bytes.size()), error);
  wire_body_bytes += used;
  if (error && error != BeastError::need_more) {
    refuse(refusal_of(error));
  } else if (parser.is_done()) {
    state = State::kDone;
  } else if (parser.chunked() && waits_for_quote(bytes.substr(used))) {
    refuse(refusal_of(BeastError::bad_chunk_extension));
  } else if (bytes.size() - used > max_head_bytes ||
             wire_body_bytes > max_head_bytes + (1 + kMaxChunkOverhead) * parser.body_bytes) {
    refuse({400, "The chunks of the request's body carry more of their own than of the body."});
  }
  return used;
}

RequestReader::RequestReader(uint64_t max_header_bytes, uint64_t max_body_bytes)
    : impl_(std::make_unique<Impl>(max_header_bytes, max_body_bytes)) {}

RequestReader::~RequestReader() = default;

size_t RequestReader::read(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && (state() == State::kHead || state() == State::kBody)) {
    const std::string_view rest = bytes.substr(used);
    const size_t step = state() == State::kHead ? impl_->read_head(rest) : impl_->read_body(rest);
    used += step;
    if (step == 0) break;
  }
  return used;
}

RequestReader::State RequestReader::state() const {
  return impl_->state;
}

const Refusal& RequestReader::refusal() const {
  return impl_->refusal;
}

bool RequestReader::is_http_1_0() const {
  return impl_->parser.version < 11;
}

bool RequestReader::keep_alive() const {
  return impl_->state == State::kDone && impl_->parser.keep_alive();
}

bool RequestReader::is_head() const {
  return impl_->parser.request.method == "HEAD";
}

bool RequestReader::expects_continue() const {
  const auto* expect = impl_->parser.request.headers.find("Expect");
  return expect && !is_http_1_0() && has_token(*expect, "100-continue");
}

uint64_t RequestReader::body_bytes() const {
  return impl_->parser.body_bytes;
}

Request RequestReader::take_request() {
  return std::move(impl_->parser.request);
}

}  // namespace gossamer::http
