#pragma once
/// Text to tokens and back: byte-level BPE with the o200k split pattern, as o200k_harmony (gpt-oss) uses it.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"

namespace gossamer {

/// What an id stands for.
enum class TokenKind : uint8_t {
  kText,     ///< a piece of bytes that text encodes to
  kSpecial,  ///< a named special token; text can never become one
  kUnnamed,  ///< a row of the head without a name (gpt-oss: ids above 200018); never sampled, decodes to nothing
};

/// Where the parts of a GGUF vocabulary come from (tokenizer.ggml.*): token strings in the byte-level alphabet, their
/// llama.cpp types (1 normal, 3 control, 4 user-defined, 5 unused, 6 byte), and merges "left right".
struct GgufVocabulary {
  std::string model;  ///< "gpt2"
  std::string pre;    ///< "gpt-4o"
  std::vector<std::string_view> tokens;
  std::vector<int32_t> types;
  std::vector<std::string_view> merges;
};

/// An immutable vocabulary with its split pattern. Safe to share between threads.
class Tokenizer {
 public:
  /// The vocabulary inside the program: o200k_harmony, ids 0..200018 named, `head_rows` 201088. Made at first use.
  static std::shared_ptr<const Tokenizer> o200k_harmony();

  /// From the text of a Hugging Face tokenizer.json (byte-level BPE with the o200k split pattern). `head_rows`: rows of
  /// the model's head, at least the number of named ids; 0 means just the named ones. Where the vocabulary equals
  /// o200k_harmony the built-in one is returned. Errors: not byte-level BPE, another pattern, duplicate or out-of-range
  /// ids, merges of unknown tokens.
  static Result<std::shared_ptr<const Tokenizer>> from_tokenizer_json(std::string_view text, uint32_t head_rows,
                                                                      std::string_view what);

  /// From the vocabulary of a GGUF file. Same rules and errors.
  static Result<std::shared_ptr<const Tokenizer>> from_gguf(const GgufVocabulary& vocabulary, uint32_t head_rows,
                                                            std::string_view what);

  virtual ~Tokenizer() = default;

  /// Appends the ids of `text` (UTF-8). Text that looks like a special token is plain text. Ill-formed UTF-8 is first
  /// mended (U+FFFD for each maximal bad piece).
  virtual void encode(std::string_view text, std::vector<TokenId>& out) const = 0;

  /// As encode(), but names of special tokens in the text become those tokens. Never for text that a user wrote.
  virtual void encode_with_specials(std::string_view text, std::vector<TokenId>& out) const = 0;

  /// The raw bytes of a text token, the name of a special one ("<|start|>"), empty for unnamed and out-of-range ids.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  virtual TokenKind kind(TokenId id) const = 0;  ///< kUnnamed for ids out of range too
  /// The text token of exactly these bytes; nothing where there is none.
  virtual std::optional<TokenId> text_token(std::string_view bytes) const = 0;

  /// The id of a special token by its name ("<|call|>"); nothing where the vocabulary has none of that name.
  virtual std::optional<TokenId> special(std::string_view name) const = 0;

  /// Rows of the head: every id below it has a kind.
  virtual uint32_t head_rows() const = 0;
  /// Ids that have a name (text and special).
  virtual uint32_t named_tokens() const = 0;

  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids;
    encode(text, ids);
    return ids;
  }
  /// The bytes of all `ids`, special tokens by name.
  std::string decode_bytes(std::span<const TokenId> ids) const {
    std::string bytes;
    for (TokenId id : ids) bytes.append(token_bytes(id));
    return bytes;
  }
};

}  // namespace gossamer
