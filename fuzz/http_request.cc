/// Any bytes as what a client sends on its connection: nothing crashes, what is refused has a status and a sentence,
/// and the requests are the same however the bytes are cut into pieces.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "http/request_reader.h"

using namespace gossamer::http;

namespace {

constexpr uint64_t kMaxHeaderBytes = 512, kMaxBodyBytes = 256;

struct Outcome {
  std::vector<std::string> requests;
  unsigned refused = 0;
  bool in_chunks = false;  ///< refused for what chunks carry beside the body, which is looked at after each piece
};

std::string describe(const Request& request) {
  std::string text = request.method + ' ' + request.path + '?' + request.query + '\n';
  for (const auto& [name, value] : request.headers.fields()) text += name + ':' + value + '\n';
  return text + request.body;
}

/// As a connection does it: what is left over comes again with the next piece.
class Feeder {
 public:
  void feed(std::string_view piece) {
    if (outcome.refused != 0) return;
    unread_ += piece;
    while (!unread_.empty()) {
      if (!reader_) reader_.emplace(kMaxHeaderBytes, kMaxBodyBytes);
      const size_t used = reader_->read(unread_);
      GOS_CHECK(used <= unread_.size());
      unread_.erase(0, used);
      if (!settle()) return;
    }
    GOS_CHECK(unread_.size() <= kMaxHeaderBytes + piece.size());
  }

  Outcome outcome;

 private:
  /// True: what is left can be read on.
  bool settle() {
    switch (reader_->state()) {
      case RequestReader::State::kHead:
      case RequestReader::State::kBody:
        return false;
      case RequestReader::State::kRefused:
        outcome.refused = reader_->refusal().status;
        outcome.in_chunks = reader_->refusal().message.find("chunks") != std::string::npos;
        GOS_CHECK(outcome.refused == 400 || outcome.refused == 413 || outcome.refused == 431);
        GOS_CHECK(!reader_->refusal().message.empty());
        return false;
      case RequestReader::State::kDone:
        break;
    }
    const Request request = reader_->take_request();
    GOS_CHECK(request.body.size() <= kMaxBodyBytes && !request.method.empty() && !request.path.empty());
    outcome.requests.push_back(describe(request));
    reader_.reset();
    return true;
  }

  std::optional<RequestReader> reader_;
  std::string unread_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece_bytes = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Feeder whole, pieces;
  whole.feed(bytes);
  for (size_t i = 0; i < bytes.size(); i += piece_bytes) pieces.feed(bytes.substr(i, piece_bytes));
  if (whole.outcome.in_chunks || pieces.outcome.in_chunks) return 0;
  GOS_CHECK(whole.outcome.requests == pieces.outcome.requests);
  GOS_CHECK(whole.outcome.refused == pieces.outcome.refused);
  return 0;
}
