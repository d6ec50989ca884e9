/// Manifests of Ollama's store: the name of a blob that is accepted is a digest and nothing else.

#include <string_view>

#include "base/check.h"
#include "checkpoint/ollama_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto blob = gossamer::parse_ollama_manifest({reinterpret_cast<const char*>(data), size}, "manifest");
  if (blob.ok()) GOS_CHECK(blob->size() == 71 && blob->find_first_not_of("sha256-bcdef01234789") == std::string::npos);
  return 0;
}
