#include "base/free_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace gossamer {
namespace {

using std::filesystem::path;

/// Names of one version of control groups: cgroups(7), and memory.stat in the kernel's documentation of each.
struct CgroupFiles {
  std::string_view mount, limit, usage, active_file, inactive_file;
};
constexpr CgroupFiles kVersion1{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                "total_active_file", "total_inactive_file"};
constexpr CgroupFiles kVersion2{"sys/fs/cgroup", "memory.max", "memory.current", "active_file", "inactive_file"};

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

/// The number behind `field` in lines of "field number ..."; a file that has none gives nothing.
std::optional<uint64_t> number_of(const path& file, std::string_view field) {
  std::ifstream lines(file);
  std::string name;
  while (lines >> name) {
    uint64_t number;
    if (name == field) return lines >> number ? std::optional(number) : std::nullopt;
    lines.ignore(4096, '\n');
  }
  return std::nullopt;
}

/// The number that is the whole file; nothing where there is none ("max").
std::optional<uint64_t> number_in(const path& file) {
  std::ifstream text(file);
  uint64_t number;
  return text >> number ? std::optional(number) : std::nullopt;
}

/// What is left below the limit of the group at `folder`.
uint64_t left_in_group(const path& folder, const CgroupFiles& files) {
  const auto limit = number_in(folder / files.limit), usage = number_in(folder / files.usage);
  if (!limit || !usage) return kNoLimit;
  const uint64_t file_pages = number_of(folder / "memory.stat", files.active_file).value_or(0) +
                              number_of(folder / "memory.stat", files.inactive_file).value_or(0);
  const uint64_t held = *usage - std::min(*usage, file_pages);
  return *limit - std::min(*limit, held);
}

/// The same of the group, and of all that it is in. Inside a container the path is often the one outside, which is not
/// there: then the mount itself is the container's group.
uint64_t left_in_groups(const path& root, const std::string& group, const CgroupFiles& files) {
  const path mount = root / files.mount;
  uint64_t left = left_in_group(mount, files);
  path folder = mount;
  for (const path& part : path(group).relative_path()) {
    if (part == "..") break;
    folder /= part;
    left = std::min(left, left_in_group(folder, files));
  }
  return left;
}

/// Lines are "number:controllers:path"; version 2 has the number 0 and no controllers.
uint64_t left_in_all_groups(const path& root) {
  std::ifstream lines(root / "proc/self/cgroup");
  uint64_t left = kNoLimit;
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") left = std::min(left, left_in_groups(root, group, kVersion2));
    if (controllers.find(",memory,") != std::string::npos)
      left = std::min(left, left_in_groups(root, group, kVersion1));
  }
  return left;
}

}  // namespace

uint64_t free_memory_bytes(const path& root) {
  const auto kilobytes = number_of(root / "proc/meminfo", "MemAvailable:");
  if (!kilobytes) return 0;
  return std::max<uint64_t>(1, std::min(*kilobytes * 1024, left_in_all_groups(root)));
}

}  // namespace gossamer
