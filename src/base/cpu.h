#pragma once

#include <string>

namespace gossamer {

/// The processor's own name ("AMD EPYC ..."), or its kind ("aarch64") where it does not tell one.
std::string cpu_name();

/// Processors this process may run on (its affinity mask), at least 1.
unsigned available_cpus();

/// Tells the processor, where it has a word for it, that this loop waits for another thread.
void cpu_relax();

}  // namespace gossamer
