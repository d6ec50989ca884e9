/// Headers of safetensors files: what is accepted lies inside the file, without overlap.

#include "base/check.h"
#include "checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors =
      gossamer::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz.safetensors");
  if (!tensors.ok()) return 0;
  uint64_t covered = 0;
  for (const auto& tensor : *tensors) {
    GOS_CHECK(tensor.begin >= covered);
    GOS_CHECK(tensor.begin <= size && tensor.size_bytes <= size - tensor.begin);
    covered = tensor.begin + tensor.size_bytes;
  }
  return 0;
}
