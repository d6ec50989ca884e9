#include "base/cpu_topology.h"

#include <gtest/gtest.h>
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace gossamer {
namespace {

TEST(CpuTopology, ThisMachineHasTheProcessorsThatThisProcessMayUse) {
  const CpuTopology& machine = CpuTopology::of_this_machine();
  EXPECT_EQ(machine.num_cpus(), available_cpus());
  EXPECT_GE(machine.num_nodes(), 1u);
  EXPECT_GE(machine.num_cores(), 1u);
  EXPECT_LE(machine.num_cores(), machine.num_cpus());
}

TEST(CpuTopology, NodesAndCoresAreCounted) {
  const auto machine = CpuTopology::from_description("numa:2 core:4 pu:2");
  ASSERT_TRUE(machine.ok()) << machine.error().message;
  EXPECT_EQ(machine->num_nodes(), 2u);
  EXPECT_EQ(machine->num_cores(), 8u);
  EXPECT_EQ(machine->num_cpus(), 16u);
  EXPECT_EQ(machine->cpus_of_node(1), (std::vector<unsigned>{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(machine->describe(), "8 cores, 2 memory nodes");
  EXPECT_EQ(CpuTopology::from_description("numa:1 core:1 pu:1")->describe(), "1 core, 1 memory node");
  EXPECT_FALSE(CpuTopology::from_description("a machine").ok());
}

TEST(CpuTopology, ThreadsAreDealtOutByProcessors) {
  const auto even = CpuTopology::from_description("numa:2 core:4 pu:1");
  EXPECT_EQ(even->deal_out(5), (std::vector<unsigned>{0, 1, 0, 1, 0}));
  for (unsigned threads : {1u, 3u, 8u, 16u}) {
    const std::vector<unsigned> nodes = even->deal_out(threads);
    const auto of_first = std::count(nodes.begin(), nodes.end(), 0u);
    EXPECT_EQ(of_first, (threads + 1) / 2) << threads;
  }
  EXPECT_EQ(CpuTopology::from_description("numa:1 core:4 pu:1")->deal_out(3), (std::vector<unsigned>{0, 0, 0}));
}

/// On a machine with several nodes this binds for real; on others it must leave everything as it is.
TEST(CpuTopology, BoundThreadsRunOnTheirNode) {
  const CpuTopology& machine = CpuTopology::of_this_machine();
  for (unsigned node = 0; node < machine.num_nodes(); ++node) {
    unsigned usable = 0;
    std::thread([&] {
      machine.bind_this_thread(node);
      usable = available_cpus();
    }).join();
    EXPECT_EQ(usable, machine.cpus_of_node(node).size());
  }
}

/// Where this thread's memory comes from; -1: the system does not tell.
int memory_policy() {
  int policy = -1;
  return syscall(SYS_get_mempolicy, &policy, nullptr, 0, nullptr, 0) == 0 ? policy : -1;
}

/// The same: for real where there are several nodes, and nothing where there is one.
TEST(CpuTopology, MemoryIsTakenByTurnsWhileSomethingIsDone) {
  const CpuTopology& machine = CpuTopology::of_this_machine();
  const int before = memory_policy();
  int within = -2;
  machine.take_memory_by_turns([&] { within = memory_policy(); });
  EXPECT_EQ(within, machine.num_nodes() > 1 ? MPOL_INTERLEAVE : before);
  EXPECT_EQ(memory_policy(), before);
  within = -2;
  CpuTopology::from_description("numa:2 core:4 pu:1")->take_memory_by_turns([&] { within = memory_policy(); });
  EXPECT_EQ(within, before) << "nothing is bound to a described machine";
}

}  // namespace
}  // namespace gossamer
