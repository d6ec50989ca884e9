#pragma once
/// How long-running work tells whoever watches: rooms below `cli` call it, `cli` draws it.

#include <cstdint>
#include <functional>
#include <string_view>

namespace gossamer {

/// Called with what is being done and how far it is (`done` of `total`, in any unit). May be empty.
using ProgressFn = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;

}  // namespace gossamer
