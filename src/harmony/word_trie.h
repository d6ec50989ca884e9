#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace gossamer::harmony {

/// A set of words, walked byte by byte. Nodes are numbered, the root is 0.
class WordTrie {
 public:
  WordTrie() : nodes_(1) {}

  /// Adds the word number `word`; one that is there already keeps its number.
  void add(std::string_view text, int32_t word);

  /// The node behind `byte`, or nothing where no word goes on so.
  std::optional<uint32_t> next(uint32_t node, unsigned char byte) const;
  /// The word that ends at the node; -1 where none does.
  int32_t word(uint32_t node) const { return nodes_[node].word; }
  /// The bytes that lead on.
  template <class Visit>
  void for_each_byte(uint32_t node, Visit&& visit) const {
    for (const auto& [byte, child] : nodes_[node].children) visit(byte);
  }

 private:
  struct Node {
    std::vector<std::pair<unsigned char, uint32_t>> children;  // by byte
    int32_t word = -1;
  };
  std::vector<Node> nodes_;
};

}  // namespace gossamer::harmony
