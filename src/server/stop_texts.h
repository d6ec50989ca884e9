#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gossamer::server {

/// Looks for the first of several stop texts in a text that comes in pieces, and holds back what may be the beginning
/// of one. The match that begins first counts, and of those that begin there the shortest: the same however the text
/// was cut.
class StopTexts {
 public:
  /// `shows_stop`: the match itself is given out too.
  explicit StopTexts(std::vector<std::string> stops, bool shows_stop = false)
      : stops_(std::move(stops)), shows_stop_(shows_stop) {}

  /// Appends to `out` what can be given out by now. True: a stop text is complete; nothing of it (unless it is shown),
  /// nor of what follows, is ever given out.
  bool feed(std::string_view piece, std::string& out);
  /// No more text comes: gives out what was held back, as far as no stop text is in it.
  void flush(std::string& out);

  /// The stop text that was found; empty: none.
  const std::string& matched() const { return matched_; }
  bool holds_back() const { return !held_.empty(); }

 private:
  const std::string* shortest_at_front(std::string_view text) const;
  bool may_begin_stop(std::string_view text) const;

  std::vector<std::string> stops_;
  bool shows_stop_;
  std::string held_;  // not given out
  std::string matched_;
};

}  // namespace gossamer::server
