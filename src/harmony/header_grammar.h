#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmony/word_trie.h"

namespace gossamer::harmony {

enum class Channel : uint8_t { kAnalysis, kCommentary, kFinal };
inline constexpr uint8_t kNumChannels = 3;

/// The frame tokens inside a header.
enum class HeaderMarker : uint8_t { kChannel, kConstrain, kMessage };

/// Which messages a header may begin: by channel, with or without a recipient.
struct HeaderPermits {
  bool without_recipient[kNumChannels] = {true, true, true};
  bool with_recipient[kNumChannels] = {true, true, false};
};

/// A place inside a header, and what the header has said before it. Small: it is copied for every token that is tried.
struct HeaderPlace {
  enum class Part : uint8_t {
    kRole,       ///< in "assistant", or behind it
    kMark,       ///< in " to=", behind the space
    kRecipient,  ///< in a recipient's name, or behind it
    kChannel,    ///< in the name of a channel, or behind it
    kSpace,      ///< behind a space that follows channel or recipient
    kType,       ///< in a content type, or behind it
  };
  Part part = Part::kRole;
  uint32_t offset = 0;  ///< in the word, or the node of the recipients' trie
  int32_t channel = -1;
  int32_t recipient = -1;
  int32_t type = -1;  ///< content type; -1: none yet
  HeaderPermits permits;

  /// After <|start|>; and after <|start|>assistant, where prompts end.
  static HeaderPlace before_role(const HeaderPermits& permits);
  static HeaderPlace behind_role(const HeaderPermits& permits);
};

/// The headers that are accepted, as bytes and frame tokens; however the bytes are cut into tokens.
///
///     header := "assistant" [" to=" R] <|channel|> C [" to=" R] [type] <|message|>
///     type   := [" "] <|constrain|> ["json" | "code"] | " json" | " code"
///
/// with one recipient at most. It is a superset of what gpt-oss writes and openai-harmony renders, and openai-harmony's
/// strict parser reads all of it.
class HeaderGrammar {
 public:
  /// `recipients` have passed check_frame_rules().
  explicit HeaderGrammar(const std::vector<std::string>& recipients);

  /// Moves behind `byte` or `marker`. False: it cannot stand here, and `place` is of no use any more.
  bool step(HeaderPlace& place, unsigned char byte) const;
  bool step(HeaderPlace& place, HeaderMarker marker) const;

  /// The bytes that step() takes here: appended to `bytes`.
  void next_bytes(const HeaderPlace& place, std::string& bytes) const;

 private:
  bool may_name_recipient(const HeaderPlace& place) const;
  bool may_take_type(const HeaderPlace& place) const;
  bool is_usable(const HeaderPlace& place, uint8_t channel) const;
  bool is_behind_words(const HeaderPlace& place) const;
  /// Reads the recipient that ends here into `place`. False: none does.
  bool finish_recipient(HeaderPlace& place) const;

  WordTrie recipients_;
  bool has_recipients_;
};

}  // namespace gossamer::harmony
