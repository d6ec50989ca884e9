#pragma once

#include "base/result.h"

namespace gossamer::sandbox {

/// From here on this process and what it executes may make the system calls only that an interpreter of one process
/// needs: files, memory, time, threads. Others fail with EPERM: no other process (fork), no sockets but a pair with
/// itself, no memory that its limit does not count (memfd, System V), nothing of the kernel's wider surface (mounts,
/// namespaces, ptrace, bpf, io_uring, keys). Errors: the machine has no seccomp, or the processor is of another kind.
Status filter_syscalls();

}  // namespace gossamer::sandbox
