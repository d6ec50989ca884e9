#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/unique_fd.h"

namespace gossamer::http {

/// The file of a Unix socket, removed with its owner if it is still the same file.
class UnixSocketFile {
 public:
  explicit UnixSocketFile(std::string path);
  ~UnixSocketFile();

 private:
  std::string path_;
  uint64_t device_ = 0, inode_ = 0;
};

/// Sockets that listen and do not block.
struct ListeningSockets {
  std::vector<UniqueFd> fds;
  uint16_t port = 0;
  std::unique_ptr<UnixSocketFile> file;
};

/// Listens on all addresses that `host` has. Port 0: one that is free on the first of them.
Result<ListeningSockets> listen_tcp(const std::string& host, uint16_t port);

/// Listens on a Unix socket that only this user may connect to (mode 0600). A file that a dead server has left is
/// replaced; one on which somebody listens is an error, as is any file that is no socket.
Result<ListeningSockets> listen_unix(const std::string& path);

}  // namespace gossamer::http
