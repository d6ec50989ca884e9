#include "http/outgoing.h"

namespace gossamer::http {

void Outgoing::push(std::string piece) {
  if (piece.empty()) return;
  size_bytes_ += piece.size();
  pieces_.push_back(std::move(piece));
}

std::span<const iovec> Outgoing::gather(std::span<iovec> into) const {
  size_t count = 0, offset = offset_;
  for (size_t i = first_; i < pieces_.size() && count < into.size(); ++i) {
    into[count++] = {const_cast<char*>(pieces_[i].data()) + offset, pieces_[i].size() - offset};
    offset = 0;
  }
  return into.first(count);
}

void Outgoing::consume(size_t count) {
  size_bytes_ -= count;
  while (count > 0) {
    const size_t left = pieces_[first_].size() - offset_;
    if (count < left) {
      offset_ += count;
      return;
    }
    count -= left;
    offset_ = 0;
    std::string().swap(pieces_[first_++]);
  }
  if (first_ == pieces_.size()) clear();
}

void Outgoing::clear() {
  pieces_.clear();
  first_ = offset_ = 0;
  size_bytes_ = 0;
}

}  // namespace gossamer::http
