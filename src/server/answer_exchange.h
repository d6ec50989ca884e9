#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "http/exchange.h"
#include "server/access_record.h"

namespace gossamer::server {

/// An exchange that puts headers on every answer, and tells what became of it: once, when the answer is complete, or
/// when nobody will complete it.
class AnswerExchange final : public http::Exchange {
 public:
  using Done = std::function<void(const AccessRecord&)>;

  AnswerExchange(std::shared_ptr<http::Exchange> inner, http::Headers headers, std::shared_ptr<AccessRecord> record,
                 Done done);
  ~AnswerExchange() override;

  const http::Request& request() const override { return inner_->request(); }
  void respond(http::Response response) override;
  void begin_stream(unsigned status, http::Headers headers, http::StreamOptions options) override;
  bool write(std::string bytes) override { return inner_->write(std::move(bytes)); }
  void end() override;
  void on_gone(std::function<void()> callback) override;

 private:
  void finish();

  const std::shared_ptr<http::Exchange> inner_;
  const http::Headers headers_;
  const std::shared_ptr<AccessRecord> record_;
  Done done_;
  const std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace gossamer::server
