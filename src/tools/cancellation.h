#pragma once

#include "http/unique_fd.h"

namespace gossamer::tools {

/// Ends a call from another thread. Can be waited for with poll.
class Cancellation {
 public:
  Cancellation();

  /// Any thread, any number of times.
  void request();
  bool requested() const;
  /// Readable from the request on.
  int fd() const { return event_.get(); }

 private:
  http::UniqueFd event_;
};

}  // namespace gossamer::tools
