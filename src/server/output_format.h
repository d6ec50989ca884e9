#pragma once

#include <string>

#include "base/json.h"
#include "server/generation.h"
#include "server/json_reader.h"

namespace gossamer::server {

/// {"type": "text" | "json_object" | "json_schema", "json_schema": {"name", "schema", "strict"?}}, or, as responses
/// have it, the schema's fields beside the type; "json_object" may have a "schema" beside it, as llama.cpp has it.
/// Null: text. A schema is enforced whatever "strict" says. Problems: a keyword that is not supported, named with its
/// JSON pointer, all else that GrammarSpec::json_schema() refuses, and a schema beside a type that takes none.
OutputFormat read_output_format(const json::object* format, const std::string& place, JsonReader& reader);

/// The answer fits `schema`, which stands at `place`.
OutputFormat json_schema_format(const json::value& schema, const std::string& place, JsonReader& reader);
/// The answer is a JSON object.
OutputFormat json_object_format(const std::string& place);

/// The fields in which vLLM, SGLang and llama.cpp take what an answer must be:
/// - "regex", "choice", "grammar" (Lark, or GBNF where its first rule has "::="), "ebnf" (GBNF), "json_schema" (an
/// object or a text),
/// - the first three and "json" (a schema) with "guided_" before them, "guided_json_object" (true),
/// - "structured_outputs": {"json", "regex", "choice", "grammar", "json_object"}.
/// One of them at most, and none beside a `format` that is no text: else a problem, as are other keys of
/// "structured_outputs" and what asks for other white space.
void read_grammar_fields(JsonReader& reader, OutputFormat& format);

/// "# Response Formats" as the model reads it.
std::string response_formats_text(const OutputFormat& format);

}  // namespace gossamer::server
