#include <sys/utsname.h>

#include "base/cpu.h"

namespace gossamer {

std::string cpu_name() {
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

// C++ has no word for this. Not std::this_thread::yield(): on a busy machine it gives away milliseconds.
void cpu_relax() {}

}  // namespace gossamer
