#pragma once
/// The C functions of rust/grammar (llguidance). Texts that go in have a length and need no zero; those that come out
/// are UTF-8, cut to the capacity, with a zero. Nothing throws.

#include <cstddef>
#include <cstdint>

struct GossamerVocabulary;
struct GossamerGrammar;

enum GossamerGrammarKind : uint32_t { kGossamerJsonSchema = 0, kGossamerRegex = 1, kGossamerLark = 2 };

extern "C" {

/// Appends at most `capacity` ids of `text` to `ids`; returns how many there are. Called on any thread.
using GossamerTokenize = size_t (*)(const void* user, const uint8_t* text, size_t bytes, uint32_t* ids,
                                    size_t capacity);

/// Token i has the next lengths[i] bytes; none: no text ever has it. `end_token` is allowed where a text is complete.
/// `user` outlives what is returned. Null: `error` says why.
GossamerVocabulary* gossamer_grammar_vocabulary(const uint8_t* bytes, const uint32_t* lengths, uint32_t num_tokens,
                                                uint32_t end_token, GossamerTokenize tokenize, const void* user,
                                                char* error, size_t capacity);
void gossamer_grammar_free_vocabulary(GossamerVocabulary* vocabulary);

/// Null: `error` says why: also where it has more than `max_items` or holds more than `max_bytes`, where no finite text
/// fits it, and where a text can come to a place from which none ends. The vocabulary outlives what is returned. Any
/// thread, several at once.
GossamerGrammar* gossamer_grammar_compile(const GossamerVocabulary* vocabulary, uint32_t kind, const char* text,
                                          size_t bytes, uint64_t max_items, uint64_t max_bytes, char* error,
                                          size_t capacity);
/// What it holds as it was compiled, which all its clones share.
uint64_t gossamer_grammar_bytes(const GossamerGrammar* grammar);
/// The grammar at the same place, sharing nothing that changes; nearly for nothing at the beginning. Null: no memory.
/// Any thread, several at once where nobody changes `grammar`.
GossamerGrammar* gossamer_grammar_clone(const GossamerGrammar* grammar);
void gossamer_grammar_free(GossamerGrammar* grammar);

/// Bit t of the words: token t may come next. False: see gossamer_grammar_error().
bool gossamer_grammar_mask(GossamerGrammar* grammar, uint32_t* words, size_t num_words);
bool gossamer_grammar_accept(GossamerGrammar* grammar, uint32_t token);
/// Bit 0: the text is complete; bit 1: nothing may follow.
uint32_t gossamer_grammar_state(GossamerGrammar* grammar);
void gossamer_grammar_error(const GossamerGrammar* grammar, char* error, size_t capacity);
}
