#pragma once
/// What tests can make of the emulated device. On a GPU there is no such thing.

#include <cstdint>

namespace gossamer::emulated {

/// Whether graphs can be made.
void allow_graphs(bool allow);
/// Graphs that were started.
uint64_t num_graph_launches();
/// So much of the device's memory is another program's.
void others_take(uint64_t bytes);
/// The `after`-th question from now on whether all was started hears that it was not.
void fail_start(uint32_t after);
bool next_start_fails();

}  // namespace gossamer::emulated
