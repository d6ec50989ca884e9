#include "support/emulated_device.h"

#include <algorithm>
#include <any>
#include <boost/context/continuation.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace gossamer::emulated {
namespace {

namespace context = boost::context;

constexpr size_t kStackBytes = 128 << 10;
constexpr size_t kMostShown = 64;  // bytes of a thread

struct Thread {
  enum class State : uint8_t { kReady, kAtBlockBarrier, kAtWarp, kAtWarpgroup, kAtCondition, kEnded };
  State state = State::kReady;
  Place place;
  context::continuation there;  // where it goes on
  const char* site = nullptr;
  uint32_t shows = 0;  // how often it showed the warp something
  uint32_t warpgroup_shows = 0;
  std::function<bool()> is_so;  // for which it waits
  std::any kept;
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
  };
  std::vector<Copy> open_copies;
  std::deque<std::vector<Copy>> groups;
};

constexpr uint32_t kWarpgroup = 128;

struct Warp {
  std::byte shown[2][32 * kMostShown];  // of this time and the last: a thread may be one ahead of another
};
struct Warpgroup {
  std::byte shown[2][kWarpgroup * kMostShown];
};

/// Stacks are kept: a launch may have thousands of blocks.
class KeptStacks {
 public:
  context::stack_context take() {
    if (free_.empty()) return maker_.allocate();
    const context::stack_context stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void give_back(const context::stack_context& stack) { free_.push_back(stack); }

 private:
  context::protected_fixedsize_stack maker_{kStackBytes};
  std::vector<context::stack_context> free_;
};
KeptStacks& stacks() {
  thread_local KeptStacks kept;
  return kept;
}
struct StackLoan {
  using traits_type = context::stack_traits;
  context::stack_context allocate() { return stacks().take(); }
  void deallocate(context::stack_context& stack) { stacks().give_back(stack); }
};

struct Running {
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<Warpgroup> warpgroups;
  std::vector<std::byte> shared;
  context::continuation scheduler;
  Thread* now = nullptr;
};
thread_local Running* running = nullptr;
uint32_t seed_of_order = 1;

/// Lets others go on until somebody makes this thread ready again.
void pause(Thread::State state) {
  Thread& me = *running->now;
  me.state = state;
  running->scheduler = running->scheduler.resume();
}

/// Warps, or warpgroups: `size` threads of which all are in that state.
void release_teams(uint32_t num_threads, uint32_t size, Thread::State state) {
  for (uint32_t first = 0; first < num_threads; first += size) {
    const auto begin = running->threads.begin() + first, end = begin + std::min(size, num_threads - first);
    const bool all = std::all_of(begin, end, [&](const Thread& t) { return t.state == state; });
    if (!all) continue;
    for (auto thread = begin; thread != end; ++thread) {
      if (std::strcmp(thread->site, begin->site) != 0) {
        running->now = &*thread;
        give_up("threads of a warp or a warpgroup are at different instructions", thread->site);
      }
      thread->state = Thread::State::kReady;
    }
  }
}

void release_block(uint32_t num_threads) {
  uint32_t waiting = 0, ended = 0;
  for (const Thread& thread : running->threads) {
    waiting += thread.state == Thread::State::kAtBlockBarrier;
    ended += thread.state == Thread::State::kEnded;
  }
  if (waiting == 0 || waiting + ended < num_threads) return;
  if (ended > 0) {
    for (Thread& thread : running->threads)
      if (thread.state == Thread::State::kAtBlockBarrier) running->now = &thread;
    give_up("some threads of the block have ended, others wait at a barrier", "block_barrier");
  }
  for (Thread& thread : running->threads) thread.state = Thread::State::kReady;
}

void run_block(dim3 grid, dim3 block, uint32_t num_threads, const std::function<void()>& kernel, std::mt19937& rng) {
  std::fill(running->shared.begin(), running->shared.end(), std::byte{0xff});
  running->threads.clear();
  running->threads.resize(num_threads);
  for (uint32_t i = 0; i < num_threads; ++i) {
    Thread& thread = running->threads[i];
    thread.place = {dim3(i), block, dim3(num_threads), grid};
    thread.there = context::callcc(std::allocator_arg, StackLoan(), [&](context::continuation&& scheduler) {
      scheduler = scheduler.resume();  // made, not begun
      running->scheduler = std::move(scheduler);
      kernel();
      running->now->state = Thread::State::kEnded;
      return std::move(running->scheduler);
    });
  }
  std::vector<uint32_t> order;
  while (true) {
    order.clear();
    for (uint32_t i = 0; i < num_threads; ++i)
      if (running->threads[i].state == Thread::State::kReady) order.push_back(i);
    if (order.empty()) break;
    std::shuffle(order.begin(), order.end(), rng);
    for (const uint32_t i : order) {
      running->now = &running->threads[i];
      running->now->there = running->now->there.resume();
    }
    release_teams(num_threads, 32, Thread::State::kAtWarp);
    release_teams(num_threads, kWarpgroup, Thread::State::kAtWarpgroup);
    for (Thread& thread : running->threads)
      if (thread.state == Thread::State::kAtCondition && thread.is_so()) thread.state = Thread::State::kReady;
    release_block(num_threads);
  }
  for (Thread& thread : running->threads)
    if (thread.state != Thread::State::kEnded) {
      running->now = &thread;
      give_up("a thread waits for others that never come", thread.site ? thread.site : "block_barrier");
    }
}

}  // namespace

void give_up(const char* what, const char* detail) {
  const Place& at = running->now->place;
  std::fprintf(stderr, "emulated device: %s (%s) in block %u,%u,%u thread %u\n", what, detail, at.block.x, at.block.y,
               at.block.z, at.thread.x);
  std::abort();
}

const Place& place() {
  return running->now->place;
}

std::byte* shared_bytes() {
  return running->shared.data();
}

void wait_for_block() {
  pause(Thread::State::kAtBlockBarrier);
}

const std::byte* show_warp(const void* mine, size_t bytes, const char* site) {
  Thread& me = *running->now;
  if (bytes > kMostShown) give_up("too much is shown to a warp", site);
  std::byte* shown = running->warps[me.place.thread.x / 32].shown[me.shows++ % 2];
  if (bytes > 0) std::memcpy(shown + me.place.thread.x % 32 * bytes, mine, bytes);
  me.site = site;
  pause(Thread::State::kAtWarp);
  return shown;
}

const std::byte* show_warpgroup(const void* mine, size_t bytes, const char* site) {
  Thread& me = *running->now;
  if (bytes > kMostShown) give_up("too much is shown to a warpgroup", site);
  if (me.place.block_size.x % kWarpgroup != 0) give_up("a block is not made of warpgroups", site);
  std::byte* shown = running->warpgroups[me.place.thread.x / kWarpgroup].shown[me.warpgroup_shows++ % 2];
  if (bytes > 0) std::memcpy(shown + me.place.thread.x % kWarpgroup * bytes, mine, bytes);
  me.site = site;
  pause(Thread::State::kAtWarpgroup);
  return shown;
}

void wait_until(const std::function<bool()>& is_so, const char* site) {
  if (is_so()) return;
  Thread& me = *running->now;
  me.is_so = is_so;
  me.site = site;
  pause(Thread::State::kAtCondition);
}

std::any& kept_of_thread() {
  return running->now->kept;
}

size_t shared_size() {
  return running->shared.size();
}

void begin_copy(void* to, const void* from, size_t bytes) {
  running->now->open_copies.push_back({to, from, bytes});
}

void commit_copies() {
  Thread& me = *running->now;
  me.groups.push_back(std::move(me.open_copies));
  me.open_copies.clear();
}

void wait_for_copies(uint32_t most_groups_left) {
  Thread& me = *running->now;
  while (me.groups.size() > most_groups_left) {
    for (const Thread::Copy& copy : me.groups.front()) std::memcpy(copy.to, copy.from, copy.bytes);
    me.groups.pop_front();
  }
}

void run(dim3 grid, uint32_t threads, size_t shared_bytes, const std::function<void()>& kernel) {
  Running block;
  block.warps.resize((threads + 31) / 32);
  block.warpgroups.resize((threads + kWarpgroup - 1) / kWarpgroup);
  block.shared.resize((shared_bytes + 15) / 16 * 16);
  running = &block;
  std::mt19937 rng(seed_of_order);
  for (uint32_t z = 0; z < grid.z; ++z)
    for (uint32_t y = 0; y < grid.y; ++y)
      for (uint32_t x = 0; x < grid.x; ++x) run_block(grid, dim3(x, y, z), threads, kernel, rng);
  running = nullptr;
}

void set_seed(uint32_t seed) {
  seed_of_order = seed;
}

}  // namespace gossamer::emulated
