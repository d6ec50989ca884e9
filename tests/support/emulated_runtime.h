#pragma once
/// What tests can make of the emulated device. On a GPU there is no such thing.

#include <cstdint>

namespace gossamer::emulated {

/// All of the device's memory from now on (8 GiB before).
void set_device_bytes(uint64_t total_bytes);
/// Whether graphs can be made.
void allow_graphs(bool allow);
/// Graphs that were started.
uint64_t num_graph_launches();

}  // namespace gossamer::emulated
