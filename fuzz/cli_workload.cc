/// What users of other tools bring: settings in YAML, conversations in JSON.

#include <cstdint>
#include <string>

#include "cli/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)gossamer::cli::parse_throughput_config(text, "fuzz");
  (void)gossamer::cli::parse_conversations(text, "fuzz");
  return 0;
}
