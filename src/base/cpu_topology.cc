#include "base/cpu_topology.h"

#include <hwloc.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/cpu.h"

namespace gossamer {

struct CpuTopology::Handle {
  hwloc_topology_t topology = nullptr;

  ~Handle() {
    if (topology) hwloc_topology_destroy(topology);
  }

  /// Processors, cores and memory nodes of this machine, or of a description; false where there is none to be had.
  bool load(const char* description) {
    // Where there is no /sys it would say so on stderr; what it finds without is good enough.
    setenv("HWLOC_HIDE_ERRORS", "2", /*overwrite=*/0);
    if (hwloc_topology_init(&topology) != 0) return false;
    hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
    // Without these a memory node is said to be near all processors.
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PACKAGE, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
    unsigned long flags =
        HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;
    if (!description) flags |= HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING;
    hwloc_topology_set_flags(topology, flags);
    if (description && hwloc_topology_set_synthetic(topology, description) != 0) return false;
    return hwloc_topology_load(topology) == 0;
  }
};

/// hwloc's set of memory nodes, empty at first.
struct CpuTopology::NodeSet {
  const hwloc_bitmap_t bits = hwloc_bitmap_alloc();
  ~NodeSet() { hwloc_bitmap_free(bits); }
};

CpuTopology::CpuTopology(std::shared_ptr<Handle> handle, bool is_this_machine)
    : handle_(std::move(handle)), is_this_machine_(is_this_machine) {
  const hwloc_topology_t topology = handle_->topology;
  if (topology) {
    num_cores_ = static_cast<unsigned>(std::max(0, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE)));
    for (hwloc_obj_t node = nullptr; (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node));) {
      Node& added = nodes_.emplace_back(Node{node->os_index, {}});
      for (int cpu = -1; (cpu = hwloc_bitmap_next(node->cpuset, cpu)) != -1;)
        added.cpus.push_back(static_cast<unsigned>(cpu));
    }
    std::erase_if(nodes_, [](const Node& node) { return node.cpus.empty(); });  // memory without processors
  }
  if (nodes_.empty()) {
    nodes_.emplace_back().cpus.resize(available_cpus());
    std::iota(nodes_[0].cpus.begin(), nodes_[0].cpus.end(), 0u);
  }
  if (num_cores_ == 0) num_cores_ = num_cpus();
}

const CpuTopology& CpuTopology::of_this_machine() {
  static const CpuTopology topology = [] {
    auto handle = std::make_shared<Handle>();
    if (!handle->load(nullptr)) handle = std::make_shared<Handle>();
    return CpuTopology(std::move(handle), /*is_this_machine=*/true);
  }();
  return topology;
}

Result<CpuTopology> CpuTopology::from_description(const std::string& description) {
  auto handle = std::make_shared<Handle>();
  if (!handle->load(description.c_str()))
    return make_error(ErrorCode::kInvalidInput, "'{}' does not describe a machine", description);
  return CpuTopology(std::move(handle), /*is_this_machine=*/false);
}

unsigned CpuTopology::num_cpus() const {
  size_t count = 0;
  for (const Node& node : nodes_) count += node.cpus.size();
  return static_cast<unsigned>(count);
}

std::string CpuTopology::describe() const {
  const auto count = [](unsigned number, const char* what) {
    return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
  };
  return fmt::format("{}, {}", count(num_cores_, "core"), count(num_nodes(), "memory node"));
}

std::vector<unsigned> CpuTopology::deal_out(unsigned num_threads) const {
  std::vector<unsigned> node_of_thread, given(num_nodes(), 0);
  while (node_of_thread.size() < num_threads) {
    // The node with the fewest threads for its processors; given / cpus as a fraction without rounding.
    unsigned next = 0;
    for (unsigned node = 1; node < num_nodes(); ++node)
      if (given[node] * nodes_[next].cpus.size() < given[next] * nodes_[node].cpus.size()) next = node;
    ++given[next];
    node_of_thread.push_back(next);
  }
  return node_of_thread;
}

void CpuTopology::bind_this_thread(unsigned node) const {
  if (num_nodes() < 2 || !is_this_machine_) return;
  const hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
  for (unsigned cpu : nodes_[node].cpus) hwloc_bitmap_set(cpus, cpu);
  hwloc_set_cpubind(handle_->topology, cpus, HWLOC_CPUBIND_THREAD);  // refused: it runs anywhere, only slower
  hwloc_bitmap_free(cpus);
}

void CpuTopology::interleave(std::byte* memory, uint64_t size_bytes) const {
  if (num_nodes() < 2 || !is_this_machine_) return;
  NodeSet nodes;
  for (const Node& node : nodes_) hwloc_bitmap_set(nodes.bits, node.os_index);
  hwloc_set_area_membind(handle_->topology, memory, size_bytes, nodes.bits, HWLOC_MEMBIND_INTERLEAVE,
                         HWLOC_MEMBIND_BYNODESET);  // refused: it lies where it is first written
}

void CpuTopology::take_memory_by_turns(const std::function<void()>& work) const {
  if (num_nodes() < 2 || !is_this_machine_) return work();
  constexpr int kOfThread = HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_BYNODESET;
  const hwloc_topology_t topology = handle_->topology;
  NodeSet nodes, nodes_before;
  for (const Node& node : nodes_) hwloc_bitmap_set(nodes.bits, node.os_index);
  hwloc_membind_policy_t before = HWLOC_MEMBIND_DEFAULT;
  const bool bound = hwloc_get_membind(topology, nodes_before.bits, &before, kOfThread) == 0 &&
                     hwloc_set_membind(topology, nodes.bits, HWLOC_MEMBIND_INTERLEAVE, kOfThread) == 0;
  work();                                                                  // refused: the memory is near the thread
  if (before == HWLOC_MEMBIND_FIRSTTOUCH) before = HWLOC_MEMBIND_DEFAULT;  // that is what it calls the system's own
  if (bound) hwloc_set_membind(topology, nodes_before.bits, before, kOfThread);
}

}  // namespace gossamer
