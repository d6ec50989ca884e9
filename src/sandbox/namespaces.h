#pragma once

#include "base/result.h"

namespace gossamer::sandbox {

/// Gives root up, where there is root to give up: groups none, user and group nobody. Errors: the system refuses.
Status become_nobody();

/// Puts this process into a user, mount, network, IPC, host name and cgroup namespace of its own, and its children into
/// a process namespace of their own. In the user namespace it is user 1000, with all rights over the namespaces and
/// none outside. Errors: which of it the machine does not allow.
Status enter_namespaces();

/// Ends this process when its parent ends. `parent_alive_fd`: the reading end of a pipe that only the parent can write:
/// where the parent has gone already, the process ends here.
Status end_with_parent(int parent_alive_fd);

/// No right is left, and no program that is executed from here on can get one.
Status drop_capabilities();

}  // namespace gossamer::sandbox
