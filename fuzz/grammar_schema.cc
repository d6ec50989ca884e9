/// Any text as a JSON schema and as a GBNF grammar: nothing crashes or hangs, what was kept of a schema that
/// passes is kept as it is.

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
  GOS_CHECK(!again.ok() || again->schema == checked->schema);  // formats written out may be above the bounds
  return 0;
}
