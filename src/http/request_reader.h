#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/refusal.h"

namespace gossamer::http {

/// Reads one request from bytes as they come; the parser is Beast's, behind checks of what must not be ambiguous.
class RequestReader {
 public:
  RequestReader(uint64_t max_header_bytes, uint64_t max_body_bytes);
  ~RequestReader();

  enum class State : uint8_t { kHead, kBody, kDone, kRefused };
  /// Takes bytes and says how many of them it used. Those that it did not use must come again, with more behind them;
  /// after kDone they belong to the next request.
  size_t read(std::string_view bytes);
  State state() const;

  const Refusal& refusal() const;  ///< kRefused
  // From kBody on, and of a refused request as far as it was read:
  bool is_http_1_0() const;
  bool keep_alive() const;
  bool is_head() const;           ///< "HEAD": it wants no body
  bool expects_continue() const;  ///< it waits for 100 before it sends the body
  uint64_t body_bytes() const;    ///< that have come so far, without what chunks add
  Request take_request();         ///< kDone, once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::http
