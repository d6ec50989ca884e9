#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// A fixed team of threads that run the chunks of one loop at a time. The caller is a member of the team.
///
/// Decode runs some hundred short loops a token, so a sleeping thread is too slow to wake and a spinning one wastes a
/// busy machine: workers spin for some microseconds after a loop, then sleep on a futex. Chunks come from an atomic
/// counter, so a descheduled thread delays one chunk and not the loop.
class ThreadPool {
 public:
  static constexpr unsigned kMaxThreads = 4096;  ///< no machine has as many processors

  /// `num_threads` counts the caller; 0 means every processor this process may use. The team is smaller where the
  /// system refuses a thread, and above kMaxThreads.
  explicit ThreadPool(unsigned num_threads = 0);
  /// The whole team or none. Errors: above kMaxThreads; the system refuses a thread.
  static Result<std::unique_ptr<ThreadPool>> create(unsigned num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned num_threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Runs body(chunk, thread) for chunk = 0 .. num_chunks - 1, each once, in any order, on any thread (thread <
  /// num_threads(); scratch memory can be kept per thread). Returns when all are done. Calls from one thread only, not
  /// nested.
  template <class Body>
  void parallel_for(uint32_t num_chunks, Body&& body) {
    if (num_chunks == 0) return;
    if (num_chunks == 1 || workers_.empty()) {
      for (uint32_t chunk = 0; chunk < num_chunks; ++chunk) body(chunk, 0u);
      return;
    }
    using BodyType = std::remove_reference_t<Body>;
    run(Loop{[](void* context, uint32_t chunk, unsigned thread) { (*static_cast<BodyType*>(context))(chunk, thread); },
             const_cast<void*>(static_cast<const void*>(&body)), num_chunks});
  }

 private:
  struct Loop {
    void (*call)(void* context, uint32_t chunk, unsigned thread) = nullptr;
    void* context = nullptr;
    uint32_t num_chunks = 0;
  };

  void run(const Loop& loop);
  void work(unsigned thread);
  void take_chunks(unsigned thread);

  std::vector<std::thread> workers_;
  // Read only by a thread that holds a claimed chunk: the loop cannot end, so it cannot be overwritten, before that
  // chunk is done.
  Loop loop_;
  std::atomic<uint64_t> unclaimed_{0};   // high half: generation of the loop; low half: chunks that nobody has taken
  std::atomic<uint32_t> unfinished_{0};  // chunks of the current loop that are not done
  std::atomic<uint32_t> generation_{0};  // raised for each loop and for the end; workers wait for it to change
  std::atomic<bool> stop_{false};
};

}  // namespace gossamer
