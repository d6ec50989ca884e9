#include "sandbox/namespaces.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

namespace gossamer::sandbox {
namespace {

constexpr unsigned kNobody = 65534;
constexpr unsigned kInnerId = 1000;
constexpr int kMostCapabilities = 64;

Error refused(std::string_view what) {
  return make_error(ErrorCode::kUnsupported, "{}: {}", what, std::strerror(errno));
}

bool write_file(const char* path, std::string_view text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  errno = error;
  return written;
}

}  // namespace

Status become_nobody() {
  if (geteuid() != 0) return {};
  if (setgroups(0, nullptr) != 0) return refused("cannot leave root's groups");
  if (setresgid(kNobody, kNobody, kNobody) != 0) return refused("cannot become the group nobody");
  if (setresuid(kNobody, kNobody, kNobody) != 0) return refused("cannot become the user nobody");
  // A change of user makes /proc/self root's; the maps of the user namespace are written through it.
  if (prctl(PR_SET_DUMPABLE, 1) != 0) return refused("cannot own this process");
  return {};
}

Status enter_namespaces() {
  const unsigned user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return refused("no user namespace (sysctl user.max_user_namespaces, AppArmor)");
  if (!write_file("/proc/self/setgroups", "deny")) return refused("cannot write /proc/self/setgroups");
  if (!write_file("/proc/self/uid_map", fmt::format("{} {} 1", kInnerId, user)))
    return refused("cannot write /proc/self/uid_map");
  if (!write_file("/proc/self/gid_map", fmt::format("{} {} 1", kInnerId, group)))
    return refused("cannot write /proc/self/gid_map");
  constexpr std::pair<int, const char*> kKinds[] = {{CLONE_NEWNS, "mount"},      {CLONE_NEWNET, "network"},
                                                    {CLONE_NEWIPC, "IPC"},       {CLONE_NEWUTS, "host name"},
                                                    {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWPID, "process"}};
  for (const auto& [flag, name] : kKinds)
    if (unshare(flag) != 0) return refused(fmt::format("no {} namespace", name));
  constexpr std::string_view kName = "sandbox";
  if (sethostname(kName.data(), kName.size()) != 0) return refused("cannot name the host");
  return {};
}

Status end_with_parent(int parent_alive_fd) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return refused("cannot end with the parent");
  pollfd alive{parent_alive_fd, POLLIN, 0};
  if (poll(&alive, 1, 0) != 0) return make_error(ErrorCode::kCancelled, "the parent has ended");
  return {};
}

Status drop_capabilities() {
  for (int capability = 0; capability < kMostCapabilities; ++capability)
    if (prctl(PR_CAPBSET_DROP, capability) != 0 && errno != EINVAL) return refused("cannot drop a capability");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return refused("cannot drop capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) return refused("cannot drop capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("no no_new_privs");
  return {};
}

}  // namespace gossamer::sandbox
