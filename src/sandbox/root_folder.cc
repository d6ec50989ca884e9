#include "sandbox/root_folder.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace gossamer::sandbox {
namespace {

constexpr char kStage[] = "/tmp";  // becomes the new root; in this namespace only

// Linux 5.12; glibc of Debian 12 has it, older ones do not.
struct MountAttributes {
  uint64_t set = 0, clear = 0, propagation = 0, user_namespace = 0;
};
constexpr uint64_t kReadOnly = 0x1, kNoSetuid = 0x2, kNoDevices = 0x4;
constexpr long kMountSetattr = 442;  // the same number on every architecture

Error refused(std::string_view what) {
  return make_error(ErrorCode::kUnsupported, "{}: {}", what, std::strerror(errno));
}

Status set_attributes(const std::string& path, uint64_t attributes) {
  MountAttributes wanted;
  wanted.set = attributes;
  if (syscall(kMountSetattr, AT_FDCWD, path.c_str(), AT_RECURSIVE, &wanted, sizeof wanted) != 0)
    return refused(fmt::format("cannot make {} read-only (mount_setattr, Linux 5.12)", path));
  return {};
}

bool make_folders(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0755) != 0 && errno != EEXIST) return false;
    if (slash == std::string::npos) return true;
  }
}

/// `path` of the machine at the same place of the new root; what is a symbolic link stays one.
Status bring_in(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) return {};  // not every machine has /lib64
  const std::string here = kStage + path;
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = readlink(path.c_str(), target, sizeof target - 1);
    if (size < 0) return refused(fmt::format("cannot read {}", path));
    target[size] = '\0';
    if (symlink(target, here.c_str()) != 0) return refused(fmt::format("cannot make {}", path));
    return {};
  }
  if (!make_folders(here)) return refused(fmt::format("cannot make {}", path));
  if (mount(path.c_str(), here.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return refused(fmt::format("cannot bind {}", path));
  return set_attributes(here, kReadOnly | kNoSetuid | kNoDevices);
}

Status bring_in_device(const std::string& path) {
  const std::string here = kStage + path;
  const int file = open(here.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return refused(fmt::format("cannot make {}", path));
  close(file);
  if (mount(path.c_str(), here.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return refused(fmt::format("cannot bind {}", path));
  return {};
}

/// The folder that an interpreter and its library lie in, where /usr does not hold it: "/opt/python" of
/// "/opt/python/bin/python3.12".
std::string prefix_of(const std::string& interpreter) {
  char real[PATH_MAX];
  if (!realpath(interpreter.c_str(), real)) return {};
  const std::string path = real;
  const size_t name = path.rfind('/');
  const size_t bin = name == 0 ? std::string::npos : path.rfind('/', name - 1);
  if (bin == std::string::npos || bin == 0 || path.starts_with("/usr/")) return {};
  return path.substr(0, bin);
}

Status fill(const std::string& interpreter, uint64_t writable_bytes) {
  for (const char* path : {"/usr", "/bin", "/lib", "/lib64"}) GOS_TRY_STATUS(bring_in(path));
  if (const std::string prefix = prefix_of(interpreter); !prefix.empty()) GOS_TRY_STATUS(bring_in(prefix));
  if (!make_folders(std::string(kStage) + "/dev")) return refused("cannot make /dev");
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"})
    GOS_TRY_STATUS(bring_in_device(path));
  const std::string data = std::string(kStage) + "/mnt/data";
  if (!make_folders(data)) return refused("cannot make /mnt/data");
  const std::string size = fmt::format("size={},nr_inodes=4096,mode=0700", writable_bytes);
  if (mount("data", data.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0)
    return refused("no folder of memory at /mnt/data");
  if (symlink("mnt/data", (std::string(kStage) + "/tmp").c_str()) != 0) return refused("cannot make /tmp");
  return {};
}

}  // namespace

Status enter_new_root(const std::string& interpreter, uint64_t writable_bytes) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return refused("cannot part from the mounts");
  if (mount("root", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") != 0)
    return refused("no folder of memory for the new root");
  GOS_TRY_STATUS(fill(interpreter, writable_bytes));
  if (mount(nullptr, kStage, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    return refused("cannot make the new root read-only");
  // The old root lies on top of the new one and is taken off.
  if (chdir(kStage) != 0 || syscall(SYS_pivot_root, ".", ".") != 0) return refused("cannot change the root");
  if (umount2(".", MNT_DETACH) != 0) return refused("cannot leave the old root");
  if (chdir("/mnt/data") != 0) return refused("cannot enter /mnt/data");
  return {};
}

}  // namespace gossamer::sandbox
