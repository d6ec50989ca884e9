/// Any bytes as what a server answers: nothing crashes, and head and body are the same however the bytes are cut.

#include <algorithm>
#include <string>

#include "base/check.h"
#include "http/response_reader.h"

using namespace gossamer::http;

namespace {

struct Outcome {
  std::string body;
  unsigned status = 0, heads = 0;
  ResponseReader::State state = ResponseReader::State::kReading;
};

Outcome read(std::string_view bytes, size_t piece_bytes, bool to_head) {
  Outcome outcome;
  ResponseReader reader({.on_head =
                             [&](unsigned status, const Headers&) {
                               outcome.status = status;
                               ++outcome.heads;
                             },
                         .on_body = [&](std::string_view body) { outcome.body += body; }},
                        to_head);
  std::string unread;
  for (size_t i = 0; i < bytes.size() && reader.state() == ResponseReader::State::kReading; i += piece_bytes) {
    unread += bytes.substr(i, piece_bytes);
    const size_t used = reader.read(unread);
    GOS_CHECK(used <= unread.size());
    unread.erase(0, used);
  }
  reader.read_end();
  GOS_CHECK(reader.state() != ResponseReader::State::kReading && outcome.heads <= 1);
  outcome.state = reader.state();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool to_head = data[0] & 64;
  const Outcome whole = read(bytes, bytes.size(), to_head), pieces = read(bytes, 1 + data[0] % 64, to_head);
  GOS_CHECK(whole.state == pieces.state && whole.status == pieces.status && whole.body == pieces.body);
  return 0;
}
