#include "server/stop_texts.h"

#include <algorithm>

namespace gossamer::server {

bool StopTexts::feed(std::string_view piece, std::string& out) {
  if (!matched_.empty()) return true;
  if (stops_.empty()) {
    out.append(piece);
    return false;
  }
  held_.append(piece);
  size_t safe = 0;  // what stands before it begins no stop text
  for (; safe < held_.size(); ++safe) {
    const std::string_view rest = std::string_view(held_).substr(safe);
    if (const std::string* found = shortest_at_front(rest)) {
      matched_ = *found;
      out.append(held_, 0, safe + (shows_stop_ ? matched_.size() : 0));
      held_.clear();
      return true;
    }
    if (may_begin_stop(rest)) break;  // and may become whole before one that is whole already behind it
  }
  out.append(held_, 0, safe);
  held_.erase(0, safe);
  return false;
}

void StopTexts::flush(std::string& out) {
  // What waited for a stop text that began earlier may hold a whole one behind that.
  size_t end = 0;
  for (; end < held_.size() && matched_.empty(); ++end)
    if (const std::string* found = shortest_at_front(std::string_view(held_).substr(end))) matched_ = *found;
  if (!matched_.empty()) end = end - 1 + (shows_stop_ ? matched_.size() : 0);
  out.append(held_, 0, end);
  held_.clear();
}

/// Null: none.
const std::string* StopTexts::shortest_at_front(std::string_view text) const {
  const std::string* shortest = nullptr;
  for (const std::string& stop : stops_)
    if (text.starts_with(stop) && (!shortest || stop.size() < shortest->size())) shortest = &stop;
  return shortest;
}

bool StopTexts::may_begin_stop(std::string_view text) const {
  return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) {
    return text.size() < stop.size() && std::string_view(stop).starts_with(text);
  });
}

}  // namespace gossamer::server
