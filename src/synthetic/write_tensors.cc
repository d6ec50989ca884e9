#include "synthetic/write_tensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace gossamer::synthetic {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;  // a thread's piece of work: stays in its cache until it is written
constexpr uint32_t kChunksAtOnce = 16;     // of each thread, between two looks at the world
constexpr mode_t kUsualMode = 0666;        // before the umask

/// A file that is open until close() or the end of the scope.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kUsualMode)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }
  /// Returns 0 or the error number: some file systems tell of a full disk only here.
  int close() { return ::close(std::exchange(fd_, -1)) == 0 ? 0 : errno; }

 private:
  int fd_;
};

Error cannot_write(const std::string& path, int error_number) {
  return make_error(ErrorCode::kIo, "cannot write {}: {}", path, std::strerror(error_number));
}

/// All of `size` bytes at `offset`. Returns 0 or the error number.
int write_at(int fd, const void* data, uint64_t size, uint64_t offset) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::pwrite(fd, bytes, size, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes += written;
    offset += static_cast<uint64_t>(written);
    size -= static_cast<uint64_t>(written);
  }
  return 0;
}

/// Some rows of a tensor, made and written in one go.
struct Chunk {
  const PlannedTensor* tensor;
  uint64_t first_row, num_rows;
  uint64_t size_bytes() const { return num_rows * tensor->row_bytes; }
};

std::vector<Chunk> cut_into_chunks(const PlannedFile& file) {
  std::vector<Chunk> chunks;
  for (const PlannedTensor& tensor : file.tensors) {
    const uint64_t rows_a_chunk = std::max<uint64_t>(kChunkBytes / tensor.row_bytes, 1);
    for (uint64_t row = 0; row < tensor.rows; row += rows_a_chunk)
      chunks.push_back({&tensor, row, std::min(rows_a_chunk, tensor.rows - row)});
  }
  return chunks;
}

/// Makes and writes one chunk. Returns 0 or the error number.
int write_chunk(const Chunk& chunk, int fd, std::vector<std::byte>& scratch) {
  const PlannedTensor& tensor = *chunk.tensor;
  scratch.resize(std::max(scratch.size(), chunk.size_bytes()));
  for (uint64_t i = 0; i < chunk.num_rows; ++i)
    tensor.write_row(chunk.first_row + i, scratch.data() + i * tensor.row_bytes);
  return write_at(fd, scratch.data(), chunk.size_bytes(), tensor.begin + chunk.first_row * tensor.row_bytes);
}

}  // namespace

Status write_planned_file(const PlannedFile& file, const std::string& path, ThreadPool& pool,
                          const OnWritten& on_written) {
  const Error stopped = make_error(ErrorCode::kCancelled, "stopped before {} was complete", path);
  OpenFile out(path);
  if (out.fd() < 0) return cannot_write(path, errno);
  if (::ftruncate(out.fd(), static_cast<off_t>(file.size_bytes)) != 0) return cannot_write(path, errno);
  if (const int failure = write_at(out.fd(), file.head.data(), file.head.size(), 0)) return cannot_write(path, failure);
  if (!on_written(file.head.size())) return stopped;

  const std::vector<Chunk> chunks = cut_into_chunks(file);
  std::vector<std::vector<std::byte>> scratch(pool.num_threads());
  const size_t batch = size_t{kChunksAtOnce} * pool.num_threads();
  for (size_t first = 0; first < chunks.size(); first += batch) {
    const auto now = std::span(chunks).subspan(first, std::min(batch, chunks.size() - first));
    std::atomic<int> failure = 0;
    pool.parallel_for(static_cast<uint32_t>(now.size()), [&](uint32_t i, unsigned thread) {
      if (const int failed = write_chunk(now[i], out.fd(), scratch[thread])) failure = failed;
    });
    if (failure != 0) return cannot_write(path, failure);
    uint64_t written_bytes = 0;
    for (const Chunk& chunk : now) written_bytes += chunk.size_bytes();
    if (!on_written(written_bytes)) return stopped;
  }
  if (const int failure = out.close()) return cannot_write(path, failure);
  return {};
}

}  // namespace gossamer::synthetic
