/// Indexes of sharded models: no file name that is accepted leads out of the folder.

#include <string_view>

#include "base/check.h"
#include "checkpoint/safetensors_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto index =
      gossamer::parse_safetensors_index({reinterpret_cast<const char*>(data), size}, "model.safetensors.index.json");
  if (!index.ok()) return 0;
  for (const std::string& file : index->files)
    GOS_CHECK(file.find('/') == std::string::npos && file.ends_with(".safetensors"));
  return 0;
}
