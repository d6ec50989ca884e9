#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harmony/conversation.h"

namespace gossamer::harmony {

/// How a header came about, which decides what its first words may mean.
enum class HeaderOrigin : uint8_t {
  kPrompt,   ///< the prompt ended with <|start|>role
  kStart,    ///< <|start|> was read
  kImplied,  ///< neither: text or a marker stands where <|start|> should
};

/// What the parts of a message are taken to be that its header does not say.
struct HeaderDefaults {
  Role role = Role::kAssistant;
  std::optional<std::string> name;
  std::optional<std::string> channel;  ///< of the message before: for text without a header, which goes on in it
};

/// The header that a lenient parser is reading: pieces of text between markers. It takes whatever comes and always has
/// a reading. docs/harmony.md has the table.
class LenientHeader {
 public:
  enum class Marker : uint8_t { kAuthor, kChannel, kConstrain };

  LenientHeader(HeaderOrigin origin, HeaderDefaults defaults) : origin_(origin), defaults_(std::move(defaults)) {}

  void add_marker(Marker marker) { pieces_.push_back({marker, {}}); }
  void add_bytes(std::string_view bytes) {
    pieces_.back().bytes.append(bytes);
    size_bytes_ += bytes.size();
  }

  /// False where the text so far can only be content whose header is missing.
  bool may_be_header() const;

  /// <|message|> came: the header of a message, without contents.
  Message complete() const;

  /// What stands for a header that <|message|> never ended: it calls no tool; all but author and channel is text.
  struct Unfinished {
    Message message;   ///< without contents
    std::string text;  ///< bytes, perhaps ill-formed UTF-8
    bool is_empty() const { return text.empty() && !message.channel; }
  };
  Unfinished abandon() const;

 private:
  struct Piece {
    Marker marker;
    std::string bytes;
  };

  HeaderOrigin origin_;
  HeaderDefaults defaults_;
  std::vector<Piece> pieces_{{Marker::kAuthor, {}}};
  size_t size_bytes_ = 0;
};

}  // namespace gossamer::harmony
