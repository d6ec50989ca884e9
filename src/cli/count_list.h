#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer::cli {

/// "128,512": numbers of tokens or sequences, none where the text is empty. Errors: something else stands there, or a
/// number below `least`.
Result<std::vector<uint32_t>> parse_counts(const std::string& option, const std::string& text, uint32_t least);

}  // namespace gossamer::cli
