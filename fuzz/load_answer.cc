/// Any bytes as what a server answers: nothing crashes, and what was read before changes nothing.

#include <cmath>
#include <string_view>

#include "base/check.h"
#include "load/answer_part.h"

using namespace gossamer::load;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static AnswerPartReader kept;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const AnswerPart part = kept.read(bytes), again = AnswerPartReader().read(bytes);
  GOS_CHECK(part.is_json == again.is_json && part.has_text == again.has_text && part.has_finish == again.has_finish);
  GOS_CHECK(part.input_tokens == again.input_tokens && part.output_tokens == again.output_tokens);
  GOS_CHECK(part.error == again.error && part.engine_ms == again.engine_ms);
  GOS_CHECK(part.is_json || (part.error.empty() && !part.has_text));
  return 0;
}
