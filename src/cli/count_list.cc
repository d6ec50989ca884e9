#include "cli/count_list.h"

#include <charconv>

namespace gossamer::cli {

Result<std::vector<uint32_t>> parse_counts(const std::string& option, const std::string& text, uint32_t least) {
  std::vector<uint32_t> counts;
  const char *at = text.data(), *const end = at + text.size();
  while (at != end) {
    uint32_t count = 0;
    const auto [after, error] = std::from_chars(at, end, count);
    if (error != std::errc() || (after != end && *after != ',') || count < least)
      return make_error(ErrorCode::kInvalidInput, "{} \"{}\" is no list of numbers from {} on; write 128,512", option,
                        text, least);
    counts.push_back(count);
    at = after == end ? end : after + 1;
  }
  return counts;
}

}  // namespace gossamer::cli
