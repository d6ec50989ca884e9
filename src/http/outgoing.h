#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gossamer::http {

/// Bytes that are to be written to a socket, as the strings they came in.
class Outgoing {
 public:
  void push(std::string piece);
  bool empty() const { return size_bytes_ == 0; }
  uint64_t size_bytes() const { return size_bytes_; }

  /// Where the next bytes lie, as many pieces as `into` has room for.
  std::span<const iovec> gather(std::span<iovec> into) const;
  /// The first `count` bytes have been written.
  void consume(size_t count);
  void clear();

 private:
  std::vector<std::string> pieces_;
  size_t first_ = 0;   // pieces before it are written
  size_t offset_ = 0;  // of pieces_[first_]: written too
  uint64_t size_bytes_ = 0;
};

}  // namespace gossamer::http
