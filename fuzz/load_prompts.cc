/// Any bytes as a file of prompts: prompts or a sentence, and each prompt says something.

#include <string_view>

#include "base/check.h"
#include "load/prompts.h"

using namespace gossamer::load;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto prompts = parse_prompts({reinterpret_cast<const char*>(data), size}, "file");
  if (!prompts.ok()) {
    GOS_CHECK(!prompts.error().message.empty());
    return 0;
  }
  GOS_CHECK(!prompts->empty());
  return 0;
}
