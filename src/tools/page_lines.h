#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gossamer::tools {

/// The lines that a page has for a model: as they are, or wrapped between words at 80 characters.
std::vector<std::string> wrapped_lines(std::string_view text);

/// "L3: ..." of lines from `first` on, as many as fit into `most_bytes` (one at least), at most `count`.
/// `shown`: how many those are.
std::string numbered_lines(const std::vector<std::string>& lines, size_t first, size_t count, size_t most_bytes,
                           size_t& shown);

/// The words of 【3†words】 without the marks.
std::string without_link_marks(std::string_view text);

}  // namespace gossamer::tools
