#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/constrained_answer.h"

namespace gossamer {

/// Computes masks while the model computes logits. Its threads start with the first mask: who needs none has none. What
/// is not begun when the logits are there is computed by the one who samples.
class MaskWorker {
 public:
  MaskWorker() = default;
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  /// Puts the mask of an answer in line. It keeps the answer alive, which may have ended meanwhile.
  void post(std::shared_ptr<ConstrainedAnswer> answer);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::shared_ptr<ConstrainedAnswer>> line_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gossamer
