/// In the place of rust/grammar where gossamer is built without it (GOSSAMER_GRAMMAR=OFF): every grammar is refused.

#include <cstdio>

#include "grammar/grammar_library.h"

GossamerVocabulary* gossamer_grammar_vocabulary(const uint8_t*, const uint32_t*, uint32_t, uint32_t, GossamerTokenize,
                                                const void*, char* error, size_t capacity) {
  std::snprintf(
      error, capacity,
      "this gossamer was built without grammars: build it where cargo 1.87 or newer is, with GOSSAMER_GRAMMAR=ON");
  return nullptr;
}
void gossamer_grammar_free_vocabulary(GossamerVocabulary*) {}

GossamerGrammar* gossamer_grammar_compile(const GossamerVocabulary*, uint32_t, const char*, size_t, uint64_t, uint64_t,
                                          char*, size_t) {
  return nullptr;
}
uint64_t gossamer_grammar_bytes(const GossamerGrammar*) {
  return 0;
}
GossamerGrammar* gossamer_grammar_clone(const GossamerGrammar*) {
  return nullptr;
}
void gossamer_grammar_free(GossamerGrammar*) {}

bool gossamer_grammar_mask(GossamerGrammar*, uint32_t*, size_t) {
  return false;
}
bool gossamer_grammar_accept(GossamerGrammar*, uint32_t) {
  return false;
}
uint32_t gossamer_grammar_state(GossamerGrammar*) {
  return 0;
}
void gossamer_grammar_error(const GossamerGrammar*, char*, size_t) {}
