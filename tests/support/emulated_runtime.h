#pragma once
/// What tests can make of the emulated device. On a GPU there is no such thing.

#include <cstdint>

namespace gossamer::emulated {

/// Whether graphs can be made.
void allow_graphs(bool allow);
/// Graphs that were started.
uint64_t num_graph_launches();

}  // namespace gossamer::emulated
