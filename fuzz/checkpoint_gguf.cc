/// GGUF files: the header's parser, every value, and the whole way to a model that is shown.

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf.h"
#include "checkpoint/summary.h"

namespace gossamer {
namespace {

void read_values(const GgufHeader& header) {
  for (const auto& [key, value] : header.values) {
    (void)value.as_uint(), (void)value.as_number(), (void)value.as_string();
    (void)value.as_strings(), (void)value.as_integers();
    GOS_CHECK(!value.text().empty());
  }
}

/// Opens the bytes as a file in memory.
void open_model(const uint8_t* data, size_t size) {
  const int file = ::memfd_create("fuzz.gguf", MFD_CLOEXEC);
  GOS_CHECK(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  if (const auto checkpoint = Checkpoint::open(fmt::format("/proc/self/fd/{}", file)); checkpoint.ok()) {
    GOS_CHECK(!show_text(*checkpoint).empty());
    for (const LayerTensors& layer : checkpoint->tensors().layers) GOS_CHECK(layer.q.data && layer.down.data);
  }
  ::close(file);
}

}  // namespace
}  // namespace gossamer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto header = gossamer::parse_gguf({reinterpret_cast<const std::byte*>(data), size}, "fuzz.gguf");
  if (!header.ok()) return 0;
  uint64_t covered = 0;
  for (const auto& tensor : header->tensors) {
    GOS_CHECK(tensor.begin >= covered);
    GOS_CHECK(tensor.begin <= size && tensor.size_bytes <= size - tensor.begin);
    covered = tensor.begin + tensor.size_bytes;
  }
  gossamer::read_values(*header);
  gossamer::open_model(data, size);
  return 0;
}
