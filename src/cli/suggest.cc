#include "cli/suggest.h"

#include <algorithm>
#include <vector>

namespace gossamer::cli {
namespace {

/// Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`: the restricted Damerau-Levenshtein
/// distance.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string suggest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongestWord = 40;  // nobody mistypes a command by a paragraph
  if (word.size() > kLongestWord) return {};
  std::string best;
  size_t best_distance = word.size() / 3 + 1;  // a third of the letters may be wrong, and one in a short word
  for (const std::string& candidate : candidates) {
    size_t distance = edit_distance(word, candidate);
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace gossamer::cli
