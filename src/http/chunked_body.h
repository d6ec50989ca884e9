#pragma once

#include <cstddef>

namespace gossamer::http {

/// The least that a chunked body can be, "0\r\n\r\n". Beast takes for granted that so much is there when it looks a
/// second time at a last chunk which no other came before, and asserts it: parsers of ours wait for so much of the
/// first chunk.
constexpr size_t kLeastChunkedBodyBytes = 5;

}  // namespace gossamer::http
