#include "support/emulated_device.h"

#include <algorithm>
#include <any>
#include <boost/context/continuation.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace gossamer::emulated {
namespace {

namespace context = boost::context;

constexpr size_t kStackBytes = 128 << 10;
constexpr size_t kMostShown = 64;    // bytes of a thread
constexpr uint32_t kMostTurns = 64;  // that a warp goes on before another does

struct Thread {
  enum class State : uint8_t { kReady, kAtBlockBarrier, kAtWarp, kAtWarpgroup, kAtCondition, kAtKernels, kEnded };
  State state = State::kReady;
  Place place;
  context::continuation there;  // where it goes on
  const char* site = nullptr;
  bool waited = false;  // for the kernels before
  uint32_t shows = 0;   // how often it showed the warp something
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

/// A block under way.
struct Running {
  bool holds = false;  // at the wait for the kernels before: they have not run
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

/// The threads of a warp, or of a warpgroup.
std::span<Thread> team_of(uint32_t index, uint32_t size) {
  const size_t first = size_t{index} * size;
  return std::span(running->threads).subspan(first, std::min<size_t>(size, running->threads.size() - first));
}

/// Lets a team go on where all of it is in that state.
void release_team(std::span<Thread> team, Thread::State state) {
  if (!std::all_of(team.begin(), team.end(), [&](const Thread& t) { return t.state == state; })) return;
  for (Thread& thread : team) {
    if (std::strcmp(thread.site, team[0].site) != 0) {
      running->now = &thread;
      give_up("threads of a warp or a warpgroup are at different instructions", thread.site);
    }
    thread.state = Thread::State::kReady;
  }
}

void release_warpgroups() {
  for (uint32_t i = 0; i * kWarpgroup < running->threads.size(); ++i)
    release_team(team_of(i, kWarpgroup), Thread::State::kAtWarpgroup);
}

/// Lets a warp go on, its threads in any order, until they wait for others of the block or have waited so many times
/// for each other. Says whether any could.
bool run_warp(std::span<Thread> warp, uint32_t turns, std::mt19937& rng) {
  for (uint32_t turn = 0; turn < turns; ++turn) {
    Thread* order[32];
    size_t ready = 0;
    for (Thread& thread : warp)
      if (thread.state == Thread::State::kReady) order[ready++] = &thread;
    if (ready == 0) return turn > 0;
    std::shuffle(order, order + ready, rng);
    for (size_t i = 0; i < ready; ++i) {
      running->now = order[i];
      running->now->there = running->now->there.resume();
    }
    release_team(warp, Thread::State::kAtWarp);
  }
  return true;
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

/// The threads of a block, made and not begun.
void make_block(Running& block, const Launch& launch, dim3 place) {
  block.warps.resize((launch.threads + 31) / 32);
  block.warpgroups.resize((launch.threads + kWarpgroup - 1) / kWarpgroup);
  block.shared.assign((launch.shared_bytes + 15) / 16 * 16, std::byte{0xff});
  block.threads.clear();
  block.threads.resize(launch.threads);
  for (uint32_t i = 0; i < launch.threads; ++i) {
    Thread& thread = block.threads[i];
    thread.place = {dim3(i), place, dim3(launch.threads), launch.grid};
    thread.there = context::callcc(std::allocator_arg, StackLoan(), [&launch](context::continuation&& scheduler) {
      scheduler = scheduler.resume();
      running->scheduler = std::move(scheduler);
      launch.kernel();
      running->now->state = Thread::State::kEnded;
      return std::move(running->scheduler);
    });
  }
}

/// Its threads go on until none can. Warps go on in any order, and some far ahead of others: between barriers nothing
/// says who is first.
void go_on(Running& block, std::mt19937& rng) {
  running = &block;
  const auto num_threads = static_cast<uint32_t>(block.threads.size());
  std::vector<uint32_t> order((num_threads + 31) / 32);
  std::iota(order.begin(), order.end(), 0u);
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    std::shuffle(order.begin(), order.end(), rng);
    for (const uint32_t warp : order) goes_on |= run_warp(team_of(warp, 32), 1 + rng() % kMostTurns, rng);
    release_warpgroups();
    for (Thread& thread : running->threads)
      if (thread.state == Thread::State::kAtCondition && thread.is_so()) thread.state = Thread::State::kReady;
    goes_on |= std::any_of(running->threads.begin(), running->threads.end(),
                           [](const Thread& thread) { return thread.state == Thread::State::kReady; });
    release_block(num_threads);
  }
  running = nullptr;
}

void run_to_end(Running& block, std::mt19937& rng) {
  block.holds = false;
  for (Thread& thread : block.threads)
    if (thread.state == Thread::State::kAtKernels) thread.state = Thread::State::kReady;
  go_on(block, rng);
  running = &block;
  for (Thread& thread : block.threads) {
    block.now = &thread;
    if (thread.state != Thread::State::kEnded)
      give_up("a thread waits for others that never come", thread.site ? thread.site : "block_barrier");
    if (!thread.waited)
      give_up("a thread ended without waiting for the kernels before its own", "wait_for_kernels_before");
  }
  running = nullptr;
}

/// A block of a kernel that was begun before its time.
struct Early {
  dim3 place;
  Running block;
};

void run_kernel(const Launch& launch, Early* early, std::mt19937& rng) {
  Running block;
  for (uint32_t z = 0; z < launch.grid.z; ++z)
    for (uint32_t y = 0; y < launch.grid.y; ++y)
      for (uint32_t x = 0; x < launch.grid.x; ++x) {
        if (early && early->place.x == x && early->place.y == y && early->place.z == z) {
          run_to_end(early->block, rng);
          continue;
        }
        make_block(block, launch, dim3(x, y, z));
        run_to_end(block, rng);
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

void wait_for_kernels() {
  running->now->waited = true;
  if (running->holds) pause(Thread::State::kAtKernels);
}

void check_prefetch(const std::byte* from, uint32_t bytes) {
  if (bytes == 0 || bytes % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0)
    give_up("a prefetch takes multiples of 16 bytes", "prefetch_weights");
  (void)*static_cast<const volatile std::byte*>(from);  // the address sanitizer sees who asks for what is not there
  (void)*static_cast<const volatile std::byte*>(from + bytes - 1);
}

void run(dim3 grid, uint32_t threads, size_t shared_bytes, const std::function<void()>& kernel) {
  std::mt19937 rng(seed_of_order);
  run_kernel({grid, threads, shared_bytes, kernel}, nullptr, rng);
}

void run_overlapping(std::span<const Launch> launches) {
  static uint32_t replays = 0;  // other blocks are early each time
  std::mt19937 rng(seed_of_order + ++replays);
  std::unique_ptr<Early> early;
  for (size_t i = 0; i < launches.size(); ++i) {
    std::unique_ptr<Early> next;
    if (i + 1 < launches.size()) {
      const Launch& launch = launches[i + 1];
      next = std::make_unique<Early>();
      next->place = dim3(static_cast<uint32_t>(rng() % launch.grid.x), static_cast<uint32_t>(rng() % launch.grid.y),
                         static_cast<uint32_t>(rng() % launch.grid.z));
      next->block.holds = true;
      make_block(next->block, launch, next->place);
      go_on(next->block, rng);
    }
    run_kernel(launches[i], early.get(), rng);
    early = std::move(next);
  }
}

void set_seed(uint32_t seed) {
  seed_of_order = seed;
}

}  // namespace gossamer::emulated
