/// Any text as a JSON schema and as a GBNF grammar: nothing crashes or hangs, a schema that passes passes again, and
/// what was kept of it is within the bounds.

#include <string_view>

#include "base/check.h"
#include "grammar/gbnf.h"
#include "grammar/schema_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gossamer;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)grammar::lark_from_gbnf(text);
  const Result<json::value> schema = grammar::parse_schema(text);
  if (!schema.ok()) return 0;
  const Result<grammar::CheckedSchema> checked = grammar::check_schema(*schema);
  if (!checked.ok()) return 0;
  const Result<grammar::CheckedSchema> again = grammar::check_schema(checked->schema);
  GOS_CHECK(again.ok());
  GOS_CHECK(again->schema == checked->schema);
  GOS_CHECK(again->patterns == checked->patterns);
  return 0;
}
