#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// The processors that this process may use, and the memory that is near them, as hwloc sees them.
///
/// Machines with several memory nodes: threads are dealt out over the nodes, each may run on any processor of its own,
/// and large memory lies on all nodes by turns of a page, so that all of them deliver at once. Which expert is next
/// nobody knows before the router has said so: a fixed home for each part of the weights would leave nodes idle. On
/// machines with one node nothing is bound to anything: a thread that shares its processor with a busy neighbour must
/// be free to move.
///
/// Pages of files are the system's: how they lie is not up to the mapping but to the thread that first reads or writes
/// them, hence take_memory_by_turns().
class CpuTopology {
 public:
  /// Looked at once. Where the system tells nothing: one node with available_cpus() processors.
  static const CpuTopology& of_this_machine();
  /// From one of hwloc's synthetic descriptions ("numa:2 core:4 pu:2"), for tests: nothing can be bound to it. Errors:
  /// not a description.
  static Result<CpuTopology> from_description(const std::string& description);

  unsigned num_nodes() const { return static_cast<unsigned>(nodes_.size()); }
  unsigned num_cores() const { return num_cores_; }
  /// Logical processors.
  unsigned num_cpus() const;
  /// Their numbers, of the node `node` < num_nodes().
  const std::vector<unsigned>& cpus_of_node(unsigned node) const { return nodes_[node].cpus; }
  /// "2 cores, 1 memory node".
  std::string describe() const;

  /// The node of each of `num_threads` threads: by turns, a node with more processors more often.
  std::vector<unsigned> deal_out(unsigned num_threads) const;

  /// From now on the calling thread runs on processors of `node`. Where there is one node only: nothing happens.
  void bind_this_thread(unsigned node) const;
  /// Memory that has not been written yet comes from all nodes by turns; files that are mapped there do not. Where
  /// there is one node only: nothing happens.
  void interleave(std::byte* memory, uint64_t size_bytes) const;
  /// Does `work`; what memory the calling thread needs for it, for pages of files too, comes from all nodes by turns.
  /// Where there is one node only: nothing but `work` happens.
  void take_memory_by_turns(const std::function<void()>& work) const;

 private:
  struct Node {
    unsigned os_index = 0;
    std::vector<unsigned> cpus;
  };
  struct Handle;  // hwloc's
  struct NodeSet;
  CpuTopology(std::shared_ptr<Handle> handle, bool is_this_machine);

  std::shared_ptr<Handle> handle_;
  bool is_this_machine_;
  std::vector<Node> nodes_;
  unsigned num_cores_ = 0;
};

}  // namespace gossamer
