#include "server/output_format.h"

#include <algorithm>
#include <utility>

#include "grammar/gbnf.h"
#include "harmony/json_text.h"
#include "server/shown_text.h"

namespace gossamer::server {
namespace {

using grammar::GrammarSpec;
using Kind = OutputFormat::Kind;

constexpr size_t kMostChoices = 10'000;

/// A problem of what stands at `place`, which the sentence of `error` does not name.
void refuse(const std::string& place, const Error& error, JsonReader& reader) {
  reader.fail(bad_request(place, fmt::format("{}: {}", place, error.message)));
}

/// A format that is no JSON; `about`: what the model reads before `text`.
OutputFormat grammar_format(Result<GrammarSpec> spec, const std::string& place, std::string_view about,
                            std::string_view text, JsonReader& reader) {
  OutputFormat format;
  if (!spec.ok()) {
    refuse(place, spec.error(), reader);
    return format;
  }
  format.kind = Kind::kGrammar;
  format.shown = fmt::format("// {}\n{}", about, text);
  format.grammar = PlacedGrammar{std::move(*spec), place};
  return format;
}

OutputFormat regex_format(const std::string& expression, const std::string& place, JsonReader& reader) {
  return grammar_format(GrammarSpec::regex(expression), place, "A text that matches this regular expression",
                        expression, reader);
}

OutputFormat choice_format(const std::vector<std::string>& texts, const std::string& place, JsonReader& reader) {
  std::string lines;
  for (const std::string& text : texts) lines += (lines.empty() ? "" : "\n") + text;
  return grammar_format(GrammarSpec::choice(texts), place, "One of these texts", lines, reader);
}

OutputFormat text_grammar_format(const std::string& text, bool is_gbnf, const std::string& place, JsonReader& reader) {
  return grammar_format(is_gbnf ? GrammarSpec::gbnf(text) : GrammarSpec::lark(text), place,
                        "A text of the language of this grammar", text, reader);
}

/// A schema as an object, or as the text of one.
OutputFormat schema_of_any_spelling(const json::value& value, const std::string& place, JsonReader& reader) {
  const json::string* text = value.if_string();
  if (!text) return json_schema_format(value, place, reader);
  const Result<json::value> schema = harmony::parse_json_like_serde(*text, "it");
  if (schema.ok()) return json_schema_format(*schema, place, reader);
  refuse(place, schema.error(), reader);
  return {};
}

/// The fields of one object, with `prefix` before their names.
class GrammarFields {
 public:
  GrammarFields(JsonReader& reader, std::string prefix, OutputFormat& format)
      : reader_(reader), prefix_(std::move(prefix)), format_(format) {}

  void json_schema(std::string_view key) {
    const std::string name = prefix_ + std::string(key);
    if (const json::value* value = reader_.any(name))
      take(name, schema_of_any_spelling(*value, reader_.place(name), reader_));
  }
  void json_object() {
    const std::string name = prefix_ + "json_object";
    if (reader_.boolean(name).value_or(false)) take(name, json_object_format(reader_.place(name)));
  }
  void regex() {
    const std::string name = prefix_ + "regex";
    if (const auto text = reader_.text(name)) take(name, regex_format(*text, reader_.place(name), reader_));
  }
  void choice() {
    const std::string name = prefix_ + "choice";
    if (!reader_.any(name)) return;
    const std::vector<std::string> texts = reader_.texts(name, kMostChoices);
    if (reader_.ok()) take(name, choice_format(texts, reader_.place(name), reader_));
  }
  void grammar(std::string_view key, bool is_always_gbnf) {
    const std::string name = prefix_ + std::string(key);
    const std::optional<std::string> text = reader_.text(name);
    if (!text) return;
    take(name, text_grammar_format(*text, is_always_gbnf || grammar::is_gbnf(*text), reader_.place(name), reader_));
  }
  /// What JSON looks like between its parts is not for requests to say.
  void refuse_white_space() {
    for (std::string_view key : {"disable_any_whitespace", "disable_additional_properties"}) {
      const std::string name = prefix_ + std::string(key);
      if (reader_.boolean(name).value_or(false))
        reader_.fail(name, fmt::format("\"{}\" is not supported: {}", reader_.place(name),
                                       key == "disable_any_whitespace"
                                           ? "JSON has at most 8 characters of white space between its parts"
                                           : "write \"additionalProperties\": false into the schema"));
    }
    const std::string pattern = prefix_ + "whitespace_pattern";
    if (reader_.any(pattern))
      reader_.fail(pattern, fmt::format("\"{}\" is not supported: JSON has at most 8 characters of white space between "
                                        "its parts",
                                        reader_.place(pattern)));
  }
  void refuse_structural_tag() {
    const std::string name = prefix_ + "structural_tag";
    if (reader_.any(name))
      reader_.fail(name, fmt::format("\"{}\" is not supported: the frames of harmony are always enforced, and tools "
                                     "with \"strict\" are",
                                     reader_.place(name)));
  }

 private:
  void take(const std::string& name, OutputFormat format) {
    if (format_.kind == Kind::kText) {
      format_ = std::move(format);
      return;
    }
    const std::string other = format_.grammar ? format_.grammar->place : "another field";
    reader_.fail(name,
                 fmt::format("an answer has one form, but both \"{}\" and {} ask for one", reader_.place(name), other));
  }

  JsonReader& reader_;
  const std::string prefix_;
  OutputFormat& format_;
};

/// The keys of "structured_outputs". It never falls back to an answer without a form, so "disable_fallback" is no news.
void refuse_strange_keys(const json::object& structured, JsonReader& inner) {
  constexpr std::string_view kKeys[] = {"json",
                                        "json_object",
                                        "regex",
                                        "choice",
                                        "grammar",
                                        "structural_tag",
                                        "disable_fallback",
                                        "disable_any_whitespace",
                                        "disable_additional_properties",
                                        "whitespace_pattern"};
  for (const auto& member : structured) {
    const std::string key(member.key());
    if (!member.value().is_null() && std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys))
      inner.fail(key,
                 fmt::format("\"{}\" is not supported: a form is one of json, json_object, regex, choice and grammar",
                             inner.place(shown(key))));
  }
}

}  // namespace

OutputFormat json_object_format(const std::string& place) {
  OutputFormat format;
  format.kind = Kind::kJsonObject;
  format.grammar = PlacedGrammar{GrammarSpec::json_object(), place};
  return format;
}

OutputFormat json_schema_format(const json::value& schema, const std::string& place, JsonReader& reader) {
  OutputFormat format;
  Result<GrammarSpec> spec = GrammarSpec::json_schema(schema);
  if (!spec.ok()) {
    refuse(place, spec.error(), reader);
    return format;
  }
  format.kind = Kind::kJsonSchema;
  format.schema = schema;
  format.grammar = PlacedGrammar{std::move(*spec), place};
  return format;
}

OutputFormat read_output_format(const json::object* format, const std::string& place, JsonReader& reader) {
  if (!format) return {};
  JsonReader fields = reader.inside(*format, place);
  const std::string type = fields.text("type").value_or("");
  const bool is_text = type == "text", is_object = type == "json_object";
  for (const char* key : {"json_schema", "schema"}) {
    const bool takes_it = !is_text && (!is_object || std::string_view(key) == "schema");
    if (!takes_it && fields.any(key))
      fields.fail(key, fmt::format("{} stands beside the type \"{}\", which takes none: the type for it is "
                                   "\"json_schema\"",
                                   fields.place(key), type));
  }
  if (is_text) return {};
  if (is_object) {  // with a schema, as llama.cpp has it
    const json::value* schema = fields.any("schema");
    return schema ? json_schema_format(*schema, fields.place("schema"), fields) : json_object_format(place);
  }
  if (type != "json_schema") {
    fields.fail("type", fmt::format("{}.type is \"{}\", it must be text, json_object or json_schema", place,
                                    type.substr(0, 40)));
    return {};
  }
  // Chat completions nest it, responses do not.
  const json::object* nested = fields.object("json_schema");
  JsonReader inner = fields.inside(nested ? *nested : *format, nested ? fields.place("json_schema") : place);
  const json::object* schema = inner.object("schema");
  if (!schema) {
    const bool lacks_object = !nested && place == "response_format";
    if (lacks_object)
      fields.fail("json_schema", fmt::format("{} is missing: an object with a JSON schema as its \"schema\"",
                                             fields.place("json_schema")));
    else
      inner.fail("schema", fmt::format("{} is missing: a JSON schema", inner.place("schema")));
    return {};
  }
  OutputFormat output = json_schema_format(*schema, inner.place("schema"), reader);
  output.schema_name = inner.text("name").value_or("");
  return output;
}

void read_grammar_fields(JsonReader& reader, OutputFormat& format) {
  for (const char* prefix : {"", "guided_"}) {
    GrammarFields fields(reader, prefix, format);
    fields.regex();
    fields.choice();
    fields.grammar("grammar", false);
    fields.refuse_white_space();
  }
  GrammarFields(reader, "", format).json_schema("json_schema");
  GrammarFields(reader, "", format).grammar("ebnf", true);
  GrammarFields(reader, "", format).refuse_structural_tag();
  GrammarFields(reader, "guided_", format).json_schema("json");
  GrammarFields(reader, "guided_", format).json_object();
  if (const json::object* structured = reader.object("structured_outputs")) {
    JsonReader inner = reader.inside(*structured, reader.place("structured_outputs"));
    refuse_strange_keys(*structured, inner);
    GrammarFields fields(inner, "", format);
    fields.json_schema("json");
    fields.json_object();
    fields.regex();
    fields.choice();
    fields.grammar("grammar", false);
    fields.refuse_white_space();
    fields.refuse_structural_tag();
  }
}

std::string response_formats_text(const OutputFormat& format) {
  const std::string name = format.schema_name.empty() ? "response" : format.schema_name;
  std::string shown = format.shown;
  if (format.kind == Kind::kJsonObject) shown = R"({"type":"object"})";
  if (format.kind == Kind::kJsonSchema) shown = harmony::compact_json(format.schema);
  return fmt::format("# Response Formats\n\n## {}\n\n{}", name, shown);
}

}  // namespace gossamer::server
