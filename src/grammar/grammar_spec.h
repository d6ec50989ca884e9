#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::grammar {

/// What a text must be.
struct GrammarSpec {
  enum class Kind : uint8_t {
    kJsonSchema,  ///< JSON that fits the schema `text`
    kRegex,  ///< a whole match of the regular expression `text` (Rust's syntax: no look-around, no back-references)
    kLark,   ///< the language of the Lark grammar `text`, from its rule `start`
  };
  Kind kind = Kind::kJsonSchema;
  std::string text;
  std::string source = {};  ///< of kJsonSchema: the schema as it came, so that errors name places in it
  bool operator==(const GrammarSpec& other) const { return kind == other.kind && text == other.text; }

  /// Any JSON object.
  static GrammarSpec json_object();
  /// Errors: as check_schema(); more than 1 MiB with its formats and references written out.
  static Result<GrammarSpec> json_schema(const json::value& schema);
  /// Errors: no expression, one above 64 KiB or nested deeper than 64.
  static Result<GrammarSpec> regex(const std::string& expression);
  /// One of these texts. Errors: none, or more than 10,000.
  static Result<GrammarSpec> choice(const std::vector<std::string>& texts);
  /// Errors: as regex().
  static Result<GrammarSpec> lark(std::string text);
  /// llama.cpp's GBNF, whose rule `root` is the start. Errors: as regex(); text that is no GBNF, with its line.
  static Result<GrammarSpec> gbnf(const std::string& text);
};

}  // namespace gossamer::grammar
