#include "http/response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <utility>

#include "http/chunked_body.h"

namespace gossamer::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;
using BeastError = beast::http::error;

namespace {

constexpr uint64_t kMaxResponseHeadBytes = 256u << 10;

std::string_view view(string_view text) {
  return {text.data(), text.size()};
}

/// Beast's response parser, writing into a sink.
class ResponseParser : public beast::http::basic_parser<false> {
 public:
  explicit ResponseParser(const ResponseReader::Sink& sink) : sink_(sink) {}
  bool is_interim() const { return code_ < 200; }
  /// More of a chunked body must be there before any of it is looked at.
  bool waits_for_more(std::string_view bytes) {
    return is_header_done() && !is_done() && chunked() && !begun_chunks_ && may_be_cut_empty_body(bytes);
  }

 private:
  void on_response_impl(int code, string_view, int, error_code&) override { code_ = static_cast<unsigned>(code); }
  void on_field_impl(beast::http::field, string_view name, string_view value, error_code&) override {
    if (!head_done_) headers_.add(std::string(view(name)), std::string(view(value)));
  }
  void on_header_impl(error_code&) override {
    head_done_ = true;
    if (!is_interim()) sink_.on_head(code_, std::move(headers_));
  }
  void on_body_init_impl(const boost::optional<uint64_t>&, error_code&) override {}
  size_t on_body_impl(string_view body, error_code&) override { return give(body); }
  void on_chunk_header_impl(uint64_t, string_view, error_code&) override { begun_chunks_ = true; }
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override { return give(body); }
  void on_finish_impl(error_code&) override {}
  void on_request_impl(beast::http::verb, string_view, string_view, int, error_code&) override {}

  size_t give(string_view body) {
    sink_.on_body(view(body));
    return body.size();
  }

  const ResponseReader::Sink& sink_;
  unsigned code_ = 0;
  Headers headers_;
  bool head_done_ = false, begun_chunks_ = false;
};

}  // namespace

struct ResponseReader::Impl {
  Impl(Sink given_sink, bool head) : sink(std::move(given_sink)), to_head(head) { next_message(); }

  void next_message() {
    parser.emplace(sink);
    parser->header_limit(kMaxResponseHeadBytes);
    parser->body_limit(boost::none);
    parser->skip(to_head);
  }

  void malformed(std::string sentence) {
    problem = std::move(sentence);
    state = State::kMalformed;
  }

  Sink sink;
  bool to_head;
  std::optional<ResponseParser> parser;
  State state = State::kReading;
  std::string problem;
};

ResponseReader::ResponseReader(Sink sink, bool to_head) : impl_(std::make_unique<Impl>(std::move(sink), to_head)) {}

ResponseReader::~ResponseReader() = default;

size_t ResponseReader::read(std::string_view bytes) {
  size_t used = 0;
  while (used < bytes.size() && state() == State::kReading) {
    if (impl_->parser->waits_for_more(bytes.substr(used))) break;
    error_code error;
    impl_->parser->eager(impl_->parser->is_header_done());  // the body is another step
    used += impl_->parser->put(asio::buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == BeastError::need_more) {
      if (bytes.size() - used > kMaxResponseHeadBytes) impl_->malformed("The response's head is too long.");
      break;
    }
    if (error) {
      impl_->malformed("The response is not HTTP: " + error.message() + ".");
    } else if (impl_->parser->is_done() && impl_->parser->is_interim()) {
      impl_->next_message();
    } else if (impl_->parser->is_done()) {
      impl_->state = State::kDone;
    }
  }
  return used;
}

void ResponseReader::read_end() {
  if (state() != State::kReading) return;
  error_code error;
  if (impl_->parser->got_some())
    impl_->parser->put_eof(error);
  else
    error = BeastError::end_of_stream;
  if (error)
    impl_->malformed("The server closed the connection before the end of its answer.");
  else
    impl_->state = State::kDone;
}

ResponseReader::State ResponseReader::state() const {
  return impl_->state;
}

const std::string& ResponseReader::problem() const {
  return impl_->problem;
}

bool ResponseReader::keep_alive() const {
  return impl_->state == State::kDone && !impl_->parser->need_eof() && impl_->parser->keep_alive();
}

}  // namespace gossamer::http
