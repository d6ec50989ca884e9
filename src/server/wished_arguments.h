#pragma once

#include "grammar/grammar_spec.h"

namespace gossamer::server {

/// What arguments are held to where nobody insists on it: `schema` as far as grammars can follow it, its optional
/// properties in any order; any JSON object where they cannot.
grammar::GrammarSpec wished_arguments(const json::value& schema);

}  // namespace gossamer::server
