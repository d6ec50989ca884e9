#pragma once

#include "base/result.h"
#include "grammar/grammar_constraint.h"

namespace gossamer::grammar {

/// Follows the beginnings of some texts under a grammar that was just compiled, always the same ones, for at most about
/// `seconds`: one that cannot be followed is then refused, and does not end answers. Errors: no text can begin, or one
/// came to a place where no token leads on or where the library gives up.
Status try_grammar(const GrammarConstraint& constraint, double seconds);

}  // namespace gossamer::grammar
