#pragma once

namespace gossamer {

// A compiler's extension that both GCC and Clang have; marked, so that -Wpedantic allows it.
__extension__ typedef unsigned __int128 Uint128;

}  // namespace gossamer
