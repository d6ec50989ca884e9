#pragma once

#include <cstdint>
#include <filesystem>

namespace gossamer {

/// Bytes that this process could get without swapping and without passing a memory limit of its control groups (a
/// container's, a service's), where the pages of files count as free; 0 where the system does not say.
/// `root` is where proc and sys are mounted.
uint64_t free_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace gossamer
