#include "harmony/word_trie.h"

#include <algorithm>

namespace gossamer::harmony {
namespace {

constexpr auto by_byte = [](const auto& child, unsigned char byte) { return child.first < byte; };

}  // namespace

void WordTrie::add(std::string_view text, int32_t word) {
  uint32_t node = 0;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    auto& children = nodes_[node].children;
    const auto at = std::lower_bound(children.begin(), children.end(), byte, by_byte);
    if (at != children.end() && at->first == byte) {
      node = at->second;
      continue;
    }
    const auto child = static_cast<uint32_t>(nodes_.size());
    children.insert(at, {byte, child});
    nodes_.emplace_back();
    node = child;
  }
  if (nodes_[node].word < 0) nodes_[node].word = word;
}

std::optional<uint32_t> WordTrie::next(uint32_t node, unsigned char byte) const {
  const auto& children = nodes_[node].children;
  const auto at = std::lower_bound(children.begin(), children.end(), byte, by_byte);
  if (at == children.end() || at->first != byte) return std::nullopt;
  return at->second;
}

}  // namespace gossamer::harmony
