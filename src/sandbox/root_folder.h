#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gossamer::sandbox {

/// Makes a new root of this process's mount namespace and enters it: the machine's programs and libraries (/usr and
/// what points there) and the folder of `interpreter` read-only, a few devices, and one empty folder of memory,
/// /mnt/data, that can be written and is the current one. Nothing else: no /proc, no /etc, no homes. Errors: what the
/// machine does not allow.
Status enter_new_root(const std::string& interpreter, uint64_t writable_bytes);

}  // namespace gossamer::sandbox
