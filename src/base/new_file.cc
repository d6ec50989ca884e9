#include "base/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/cpu_topology.h"
#include "base/file_lock.h"

namespace gossamer {

namespace fs = std::filesystem;

/// The file before it has the name that it is for.
struct NewFile::Temporary {
  std::string path;  // empty: it has no name at all
  int fd = -1;
  ~Temporary() {
    if (!path.empty()) ::unlink(path.c_str());
    if (fd >= 0) ::close(fd);
  }
};

namespace {

constexpr char kTemporaryMark[] = ".new-";

Error cannot_write(const std::string& path, int code) {
  return make_error(ErrorCode::kIo, "cannot write {}: {}", path, std::strerror(code));
}

std::string temporary_name(const std::string& path) {
  return fmt::format("{}{}{:06x}", path, kTemporaryMark, std::random_device()() & 0xffffff);
}

/// Removes files of temporary names for `path` that no living process holds.
void remove_abandoned(const fs::path& folder, const std::string& path) {
  const std::string beginning = fs::path(path).filename().string() + kTemporaryMark;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
    if (!entry->path().filename().string().starts_with(beginning)) continue;
    const int fd = ::open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
    ::close(fd);
  }
}

/// Opens a new file of a temporary name for `path`, and locks it. -1: errno says why not.
int open_named(const std::string& path, std::string& name) {
  while (true) {
    name = temporary_name(path);
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0 || (!is_locked_elsewhere(fd) && is_name_of(name, fd))) return fd;
    ::close(fd);  // another process took it for abandoned before it was locked
  }
}

/// The name by which an open file can be reached that has no other.
std::string path_of(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

/// Opens a new file that has no name. -1: the filesystem knows no such thing, or it could not be named later.
int open_nameless(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 || ::access(path_of(fd).c_str(), F_OK) == 0) return fd;
  ::close(fd);
  return -1;
}

/// False where there is a file of that name (EEXIST), or where the system refuses.
bool give_name(int fd, const std::string& name) {
  return ::linkat(AT_FDCWD, path_of(fd).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

/// Gives a file without a name a temporary one for `path`, locked. False: errno says why not.
bool give_temporary_name(int fd, const std::string& path, std::string& name) {
  is_locked_elsewhere(fd);  // nobody else can hold it: this takes it
  bool named;
  std::string chosen;
  do {
    chosen = temporary_name(path);
    named = give_name(fd, chosen);
  } while (!named && errno == EEXIST);
  if (named) name = chosen;
  return named;
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path, uint64_t size_bytes, Until until_committed) {
  const fs::path folder = fs::absolute(path).parent_path();
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return cannot_write(path, failure.value());
  remove_abandoned(folder, path);
  const fs::space_info space = fs::space(folder, failure);
  if (!failure && space.available < size_bytes)
    return make_error(ErrorCode::kIo, "{} needs {:.2f} GB of disk, and {:.2f} GB are free there", path,
                      static_cast<double>(size_bytes) / 1e9, static_cast<double>(space.available) / 1e9);

  NewFile file;
  file.path_ = path;
  file.size_bytes_ = size_bytes;
  file.temporary_ = std::make_shared<Temporary>();
  int& fd = file.temporary_->fd;
  if (until_committed == Until::kNamelessIfPossible) fd = open_nameless(folder);
  if (fd < 0) fd = open_named(path, file.temporary_->path);
  if (fd < 0) return cannot_write(path, errno);
  int code = 0;
  CpuTopology::of_this_machine().take_memory_by_turns(  // a filesystem in memory gives all of it here
      [&] { code = ::posix_fallocate(fd, 0, static_cast<off_t>(size_bytes)); });
  if (code != 0) return cannot_write(path, code);
  void* address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return cannot_write(path, errno);
  file.mapping_ = std::shared_ptr<void>(address, [size_bytes](void* p) { ::munmap(p, size_bytes); });
  return file;
}

Status NewFile::commit() {
  Temporary& file = *temporary_;
  if (::fsync(file.fd) != 0) return cannot_write(path_, errno);
  if (file.path.empty()) {
    if (give_name(file.fd, path_)) return {};
    // Only rename() replaces a file, and it needs a name to begin with.
    if (errno != EEXIST || !give_temporary_name(file.fd, path_, file.path)) return cannot_write(path_, errno);
  }
  if (::rename(file.path.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  file.path.clear();
  return {};
}

}  // namespace gossamer
