#include "server/answer_exchange.h"

namespace gossamer::server {
namespace {

constexpr unsigned kClientGone = 499;

http::Headers with(http::Headers headers, const http::Headers& more) {
  for (const auto& [name, value] : more.fields()) headers.add(name, value);
  return headers;
}

}  // namespace

AnswerExchange::AnswerExchange(std::shared_ptr<http::Exchange> inner, http::Headers headers,
                               std::shared_ptr<AccessRecord> record, Done done)
    : inner_(std::move(inner)), headers_(std::move(headers)), record_(std::move(record)), done_(std::move(done)) {}

AnswerExchange::~AnswerExchange() {
  if (!done_) return;
  record_->client_gone = true;
  if (record_->status == 0) record_->status = kClientGone;
  finish();
}

void AnswerExchange::respond(http::Response response) {
  if (record_->status != 0) return;
  record_->status = response.status;
  response.headers = with(std::move(response.headers), headers_);
  inner_->respond(std::move(response));
  finish();
}

void AnswerExchange::begin_stream(unsigned status, http::Headers headers, http::StreamOptions options) {
  record_->status = status;
  inner_->begin_stream(status, with(std::move(headers), headers_), std::move(options));
}

void AnswerExchange::end() {
  inner_->end();
  finish();
}

void AnswerExchange::on_gone(std::function<void()> callback) {
  inner_->on_gone([gone = gone_, callback = std::move(callback)] {
    *gone = true;
    callback();
  });
}

void AnswerExchange::finish() {
  const Done done = std::exchange(done_, {});
  if (!done) return;
  record_->client_gone |= *gone_;
  record_->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  done(*record_);
}

}  // namespace gossamer::server
