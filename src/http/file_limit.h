#pragma once

#include <cstdint>

namespace gossamer::http {

/// Raises the number of files, sockets among them, that the process may have open to as many as the system lets it, and
/// says how many these are.
uint64_t raise_file_limit();

}  // namespace gossamer::http
