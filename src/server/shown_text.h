#pragma once

#include <string>
#include <string_view>

#include "base/utf8.h"

namespace gossamer::server {

/// The beginning of a text of a client, for the sentence that tells what is wrong with it.
inline std::string shown(std::string_view text) {
  constexpr size_t kLongest = 80;
  return utf8_lossy(text.substr(0, kLongest)) + (text.size() > kLongest ? "..." : "");
}

}  // namespace gossamer::server
