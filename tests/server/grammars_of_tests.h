#pragma once

#include <memory>

#include "grammar/grammar_engine.h"
#include "tokenizer/tokenizer.h"

namespace gossamer::server {

/// One for all servers of a test program: its vocabulary takes a second to load.
inline std::shared_ptr<grammar::GrammarEngine> grammars_of_tests() {
  static const auto grammars = std::make_shared<grammar::GrammarEngine>(Tokenizer::o200k_harmony());
  return grammars;
}

}  // namespace gossamer::server
