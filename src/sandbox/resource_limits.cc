#include "sandbox/resource_limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gossamer::sandbox {

Status set_limits(const ResourceLimits& limits) {
  struct Limit {
    __rlimit_resource_t resource;
    rlim_t value;
    const char* name;
  };
  const Limit kLimits[] = {
      {RLIMIT_AS, limits.memory_bytes, "memory"}, {RLIMIT_CPU, limits.cpu_seconds, "processor time"},
      {RLIMIT_NPROC, limits.threads, "threads"},  {RLIMIT_FSIZE, limits.file_bytes, "files"},
      {RLIMIT_NOFILE, 64, "descriptors"},         {RLIMIT_CORE, 0, "core files"},
      {RLIMIT_MEMLOCK, 0, "locked memory"},       {RLIMIT_MSGQUEUE, 0, "message queues"},
      {RLIMIT_STACK, 8 << 20, "the stack"},
  };
  for (const Limit& limit : kLimits) {
    const rlimit both{limit.value, limit.value};
    if (setrlimit(limit.resource, &both) != 0)
      return make_error(ErrorCode::kUnsupported, "cannot limit {} to {}: {}", limit.name, limit.value,
                        std::strerror(errno));
  }
  // Courtesies to the server; without them it is safe too.
  (void)setpriority(PRIO_PROCESS, 0, 10);
  if (const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); fd >= 0) {
    (void)!write(fd, "1000", 4);
    close(fd);
  }
  return {};
}

}  // namespace gossamer::sandbox
