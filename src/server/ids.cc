#include "server/ids.h"

#include <sys/random.h>

#include <array>

namespace gossamer::server {
namespace {

constexpr size_t kIdLetters = 24;
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes from the system, many at a time: a call of the kernel for each id would cost more than the id.
class RandomBytes {
 public:
  uint8_t next() {
    if (used_ == bytes_.size()) refill();
    return bytes_[used_++];
  }

 private:
  void refill() {
    size_t filled = 0;
    while (filled < bytes_.size()) {
      const ssize_t got = getrandom(bytes_.data() + filled, bytes_.size() - filled, 0);
      if (got > 0) filled += static_cast<size_t>(got);
    }
    used_ = 0;
  }

  std::array<uint8_t, 4096> bytes_{};
  size_t used_ = bytes_.size();
};

}  // namespace

std::string make_id(std::string_view prefix) {
  thread_local RandomBytes random;
  std::string id(prefix);
  id.reserve(prefix.size() + kIdLetters);
  while (id.size() < prefix.size() + kIdLetters) {
    const uint8_t byte = random.next();
    if (byte < 4 * kAlphabet.size()) id.push_back(kAlphabet[byte % kAlphabet.size()]);  // the rest would favour some
  }
  return id;
}

}  // namespace gossamer::server
