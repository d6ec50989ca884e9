#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace gossamer::http {

/// Reads one response, handing its body over as it comes. Interim responses (1xx) are skipped.
class ResponseReader {
 public:
  struct Sink {
    std::function<void(unsigned status, Headers headers)> on_head;
    std::function<void(std::string_view bytes)> on_body;
  };
  /// `to_head`: the request was a HEAD, so no body follows.
  ResponseReader(Sink sink, bool to_head);
  ~ResponseReader();

  enum class State : uint8_t { kReading, kDone, kMalformed };
  /// As RequestReader::read.
  size_t read(std::string_view bytes);
  /// The other side has ended the connection: kDone where that is how the body ends.
  void read_end();
  State state() const;

  const std::string& problem() const;  ///< kMalformed: one sentence
  bool keep_alive() const;             ///< kDone: the connection can be used again

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gossamer::http
