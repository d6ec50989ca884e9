#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gossamer::cli {

/// The candidate that `word` was probably meant to be (few letters added, lost, changed or swapped); empty where none
/// is near.
std::string suggest(std::string_view word, std::span<const std::string> candidates);

}  // namespace gossamer::cli
