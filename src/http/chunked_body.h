#pragma once

#include <string_view>

namespace gossamer::http {

/// True for what may be the beginning of an empty chunked body, "0\r\n\r\n", and is not all of it. Beast takes for
/// granted that so much is there when it looks a second time at a last chunk which no other came before, and asserts
/// it: our parsers show it such a beginning only when there is more.
inline bool may_be_cut_empty_body(std::string_view first_chunk) {
  constexpr size_t kEmptyBodyBytes = 5;
  return first_chunk.starts_with('0') && first_chunk.size() < kEmptyBodyBytes;
}

}  // namespace gossamer::http
