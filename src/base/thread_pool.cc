#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "base/cpu.h"
#include "base/cpu_topology.h"

namespace gossamer {
namespace {

/// Waits until `word` differs from `old`: spins about 50 us (longer than the gap between two loops of a forward pass),
/// then sleeps.
void wait_while_equal(const std::atomic<uint32_t>& word, uint32_t old) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::microseconds(50);
  do {
    for (int i = 0; i < 64; ++i) {
      if (word.load(std::memory_order_acquire) != old) return;
      cpu_relax();
    }
  } while (Clock::now() < deadline);
  word.wait(old, std::memory_order_acquire);
}

/// What `num_threads` asks for, at most kMaxThreads.
unsigned team_size(unsigned num_threads) {
  if (num_threads == 0) num_threads = CpuTopology::of_this_machine().num_cpus();
  return std::min(num_threads, ThreadPool::kMaxThreads);
}

}  // namespace

ThreadPool::ThreadPool(unsigned num_threads) {
  const CpuTopology& machine = CpuTopology::of_this_machine();
  // The caller counts as one of the first node and stays free all the same: threads that it starts would inherit that.
  const std::vector<unsigned> node_of_thread = machine.deal_out(team_size(num_threads));
  try {
    for (unsigned thread = 1; thread < node_of_thread.size(); ++thread)
      workers_.emplace_back([this, &machine, thread, node = node_of_thread[thread]] {
        machine.bind_this_thread(node);
        work(thread);
      });
  } catch (const std::system_error&) {  // a limit on threads: those that there are do the work
  }
}

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(unsigned num_threads) {
  if (num_threads > kMaxThreads)
    return make_error(ErrorCode::kInvalidInput,
                      "{} threads are more than the {} that work together at most; ask for "
                      "fewer with --threads",
                      num_threads, kMaxThreads);
  auto pool = std::make_unique<ThreadPool>(num_threads);
  if (const unsigned wanted = team_size(num_threads); pool->num_threads() < wanted)
    return make_error(ErrorCode::kIo,
                      "of {} threads the system let {} start; ask for fewer with --threads, or let it "
                      "allow more (ulimit -u, a container's limit of pids)",
                      wanted, pool->num_threads());
  return pool;
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(const Loop& loop) {
  loop_ = loop;
  unfinished_.store(loop.num_chunks, std::memory_order_relaxed);
  const uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  unclaimed_.store(static_cast<uint64_t>(generation) << 32 | loop.num_chunks, std::memory_order_release);
  generation_.store(generation, std::memory_order_release);
  generation_.notify_all();
  take_chunks(0);
  for (uint32_t left; (left = unfinished_.load(std::memory_order_acquire)) != 0;) wait_while_equal(unfinished_, left);
}

void ThreadPool::work(unsigned thread) {
  uint32_t seen = 0;
  while (true) {
    wait_while_equal(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    take_chunks(thread);
  }
}

void ThreadPool::take_chunks(unsigned thread) {
  uint64_t state = unclaimed_.load(std::memory_order_acquire);
  while (const uint32_t left = static_cast<uint32_t>(state)) {
    // The generation in the high half makes the claim fail where another loop has begun since `state` was read.
    if (!unclaimed_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    loop_.call(loop_.context, loop_.num_chunks - left, thread);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
    state = unclaimed_.load(std::memory_order_acquire);
  }
}

}  // namespace gossamer
