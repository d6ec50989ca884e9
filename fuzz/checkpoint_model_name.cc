/// Names that people type and names of files: reading one never fails, and a split name is what it is written as.

#include <string_view>

#include "base/check.h"
#include "checkpoint/model_name.h"
#include "checkpoint/split_name.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view name(reinterpret_cast<const char*>(data), size);
  const auto spelled = gossamer::spell_model_name(name);
  GOS_CHECK(gossamer::is_same_model(spelled, spelled));
  (void)gossamer::repository_of(name);
  if (const auto split = gossamer::parse_split_name(name))
    GOS_CHECK(gossamer::split_name(*split, split->number) == name);
  return 0;
}
