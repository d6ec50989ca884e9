#include "tools/cancellation.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace gossamer::tools {

Cancellation::Cancellation() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Cancellation::request() {
  const uint64_t one = 1;
  (void)!write(event_.get(), &one, sizeof one);  // full: it was requested before
}

bool Cancellation::requested() const {
  pollfd event{event_.get(), POLLIN, 0};
  return poll(&event, 1, 0) > 0;
}

}  // namespace gossamer::tools
