#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace gossamer {

struct UnmapMemory {
  uint64_t size_bytes = 0;
  void operator()(std::byte* memory) const;
};

/// A large stretch of zeroed memory, in huge pages where the system gives them, on all memory nodes by turns. The
/// system gives memory as it is first written, and takes all of it back at the end.
class BigMemory {
 public:
  BigMemory() = default;
  /// `what` is named in the error: "the KV cache". Errors: the system has not that much address space or memory.
  static Result<BigMemory> allocate(uint64_t size_bytes, const std::string& what);

  std::byte* data() const { return memory_.get(); }  ///< aligned to a page
  uint64_t size_bytes() const { return memory_.get_deleter().size_bytes; }

 private:
  std::unique_ptr<std::byte, UnmapMemory> memory_;
};

}  // namespace gossamer
