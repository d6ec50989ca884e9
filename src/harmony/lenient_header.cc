#include "harmony/lenient_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/utf8.h"
#include "harmony/text_words.h"

namespace gossamer::harmony {
namespace {

constexpr std::string_view kRecipientMark = "to=";
constexpr std::string_view kConstrain = "<|constrain|>";
constexpr std::array<std::string_view, 3> kChannels = {"analysis", "commentary", "final"};
constexpr std::array<Role, 5> kRoles = {Role::kUser, Role::kAssistant, Role::kSystem, Role::kDeveloper, Role::kTool};

/// Longer than any real header (a function's name has at most 64 characters), short enough that text whose <|message|>
/// was forgotten soon appears.
constexpr size_t kMaxHeaderBytes = 512;

bool is_channel(std::string_view word) {
  return std::find(kChannels.begin(), kChannels.end(), word) != kChannels.end();
}

/// Where "to=" begins in a word: at its start or glued to a role or channel ("commentaryto=f"); npos: nowhere.
size_t recipient_offset(std::string_view word) {
  if (word.starts_with(kRecipientMark)) return 0;
  const auto glued = [&](std::string_view name) {
    return word.starts_with(name) && word.substr(name.size()).starts_with(kRecipientMark);
  };
  for (std::string_view channel : kChannels) {
    if (glued(channel)) return channel.size();
  }
  for (Role role : kRoles) {
    if (glued(role_name(role))) return role_name(role).size();
  }
  return std::string_view::npos;
}

/// "words to=recipient to=recipient": all parts trimmed.
struct RoutedText {
  std::string_view head;
  std::vector<std::string_view> recipients;
};

RoutedText split_recipients(std::string_view text) {
  std::vector<size_t> starts;
  for (std::string_view word : words_of(text)) {
    const size_t offset = recipient_offset(word);
    if (offset != std::string_view::npos) starts.push_back(static_cast<size_t>(word.data() - text.data()) + offset);
  }
  RoutedText routed{trim(text.substr(0, starts.empty() ? text.size() : starts.front())), {}};
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t begin = starts[i] + kRecipientMark.size();
    const size_t end = i + 1 < starts.size() ? starts[i + 1] : text.size();
    routed.recipients.push_back(trim(text.substr(begin, end - begin)));
  }
  return routed;
}

/// A first word that names a role: "assistant", "user:alice", "assistantfinal" (<|channel|> was forgotten).
struct Author {
  Role role;
  bool is_named = false;  ///< a name follows the colon
  std::string_view channel;
};

std::optional<Author> author_from_word(std::string_view word) {
  for (Role role : kRoles) {
    if (!word.starts_with(role_name(role))) continue;
    const std::string_view rest = word.substr(role_name(role).size());
    if (rest.empty()) return Author{role, false, {}};
    if (rest.starts_with(':')) return Author{role, true, {}};
    if (is_channel(rest)) return Author{role, false, rest};
  }
  return std::nullopt;
}

/// Collects the parts of a complete header. What is said twice counts as said last; what has no place of its own
/// becomes part of the content type, so that nothing is lost and nobody is called by mistake.
class HeaderReader {
 public:
  HeaderReader(HeaderOrigin origin, const HeaderDefaults& defaults) : origin_(origin) {
    message_.role = defaults.role;
    message_.name = defaults.name;
  }

  void read_author(std::string_view head) {
    const std::string_view word = first_word(head);
    if (word.empty()) return;
    const std::optional<Author> author = author_from_word(word);
    const bool may_name_role = origin_ != HeaderOrigin::kPrompt || (author && author->role == message_.role);
    if (author && may_name_role) {
      take_author(*author, head);
    } else if (origin_ == HeaderOrigin::kStart) {
      message_.role = Role::kTool;
      message_.name = std::string(head);
    } else {
      add_words(head);
    }
  }

  void read_channel(std::string_view head) {
    const std::string_view name = first_word(head);
    if (!name.empty()) set_channel(name);
    add_words(head.substr(name.size()));
  }

  void read_constraint(std::string_view head) {
    is_constrained_ = true;
    if (!head.empty()) constraint_.emplace_back(head);
  }

  /// `is_last`: nothing follows in the header, so that a last word behind the name is a content type ("to=f json").
  void read_recipient(std::string_view text, bool is_last) {
    const std::vector<std::string_view> words = words_of(text);
    if (words.empty()) return;
    if (is_last && words.size() > 1) {
      text = trim(text.substr(0, static_cast<size_t>(words.back().data() - text.data())));
      add_words(words.back());
    }
    if (message_.recipient && *message_.recipient != text)
      others_.push_back(fmt::format("{}{}", kRecipientMark, *message_.recipient));
    message_.recipient = std::string(text);
  }

  /// A channel's name without <|channel|> before it.
  void find_bare_channel() {
    if (message_.channel || others_.empty() || !is_channel(others_.front())) return;
    message_.channel = others_.front();
    others_.erase(others_.begin());
  }

  Message release() {
    std::vector<std::string> parts = std::move(constraint_);
    parts.insert(parts.end(), others_.begin(), others_.end());
    if (is_constrained_ || !parts.empty()) {
      message_.content_type = fmt::format("{}{}", is_constrained_ ? kConstrain : "", fmt::join(parts, " "));
    }
    return std::move(message_);
  }

 private:
  /// `head` begins with the author's word.
  void take_author(const Author& author, std::string_view head) {
    message_.role = author.role;
    if (author.is_named) {
      message_.name = std::string(head.substr(role_name(author.role).size() + 1));
      return;
    }
    if (origin_ != HeaderOrigin::kPrompt) message_.name.reset();
    if (origin_ == HeaderOrigin::kStart && author.role == Role::kTool)
      message_.name = std::string(role_name(Role::kTool));
    if (!author.channel.empty()) set_channel(author.channel);
    add_words(head.substr(first_word(head).size()));
  }

  void set_channel(std::string_view name) {
    if (message_.channel && *message_.channel != name) others_.push_back(*message_.channel);
    message_.channel = std::string(name);
  }

  void add_words(std::string_view text) {
    for (std::string_view word : words_of(text)) others_.emplace_back(word);
  }

  const HeaderOrigin origin_;
  Message message_;
  bool is_constrained_ = false;
  std::vector<std::string> constraint_;  // behind <|constrain|>
  std::vector<std::string> others_;      // words without a place of their own
};

/// What may stand next before a <|channel|> or <|message|>: [role] [channel] [to=...].
enum class Expected { kAuthor, kChannel, kRecipient };

/// True where an unfinished word may grow into what is expected, glued words included.
bool may_become_word(std::string_view word, Expected expected) {
  const auto leads_to = [&](std::string_view head, std::string_view tail) {
    return fmt::format("{}{}", head, tail).starts_with(word);
  };
  if (leads_to(kRecipientMark, "")) return true;
  if (expected == Expected::kRecipient) return false;
  for (std::string_view channel : kChannels) {
    if (leads_to(channel, kRecipientMark)) return true;
  }
  if (expected == Expected::kChannel) return false;
  for (Role role : kRoles) {
    if (leads_to(role_name(role), kRecipientMark)) return true;
    for (std::string_view channel : kChannels) {
      if (leads_to(role_name(role), channel)) return true;
    }
  }
  return author_from_word(word).has_value();  // "user:al"
}

bool may_become_header(std::string_view text, Expected expected) {
  text = trim_left(text);
  const std::string_view word = first_word(text);
  const std::string_view rest = text.substr(word.size());
  if (recipient_offset(word) != std::string_view::npos) return true;
  if (rest.empty()) return may_become_word(word, expected);
  if (expected != Expected::kRecipient && is_channel(word)) return may_become_header(rest, Expected::kRecipient);
  if (expected != Expected::kAuthor) return false;
  const std::optional<Author> author = author_from_word(word);
  return author && may_become_header(rest, author->channel.empty() ? Expected::kChannel : Expected::kRecipient);
}

}  // namespace

bool LenientHeader::may_be_header() const {
  if (size_bytes_ > kMaxHeaderBytes) return false;
  if (origin_ == HeaderOrigin::kStart || pieces_.size() > 1) return true;
  return may_become_header(pieces_.front().bytes, Expected::kAuthor);
}

Message LenientHeader::complete() const {
  HeaderReader reader(origin_, defaults_);
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const std::string text = utf8_lossy(pieces_[i].bytes);
    const RoutedText routed = split_recipients(text);
    switch (pieces_[i].marker) {
      case Marker::kAuthor:
        reader.read_author(routed.head);
        break;
      case Marker::kChannel:
        reader.read_channel(routed.head);
        break;
      case Marker::kConstrain:
        reader.read_constraint(routed.head);
        break;
    }
    for (size_t r = 0; r < routed.recipients.size(); ++r) {
      reader.read_recipient(routed.recipients[r], i + 1 == pieces_.size() && r + 1 == routed.recipients.size());
    }
  }
  reader.find_bare_channel();
  Message message = reader.release();
  if (!message.channel && origin_ == HeaderOrigin::kImplied) message.channel = defaults_.channel;
  return message;
}

LenientHeader::Unfinished LenientHeader::abandon() const {
  Unfinished unfinished;
  unfinished.message.role = defaults_.role;
  unfinished.message.name = defaults_.name;
  const bool has_frame = origin_ == HeaderOrigin::kStart || pieces_.size() > 1;
  for (const Piece& piece : pieces_) {
    std::string_view text = piece.bytes;
    const std::string_view word = first_word(trim_left(text));
    const size_t behind_word = static_cast<size_t>(word.data() - text.data()) + word.size();
    if (piece.marker == Marker::kAuthor && has_frame) {
      const std::optional<Role> named = role_from_name(word);
      if (named && (origin_ != HeaderOrigin::kPrompt || *named == defaults_.role)) {
        unfinished.message.role = *named;
        text.remove_prefix(behind_word);
      }
    }
    if (piece.marker == Marker::kChannel && !unfinished.message.channel && !word.empty()) {
      unfinished.message.channel = utf8_lossy(word);
      text.remove_prefix(behind_word);
    }
    unfinished.text.append(text);
  }
  if (has_frame) unfinished.text.erase(0, unfinished.text.size() - trim_left(unfinished.text).size());
  if (trim_left(unfinished.text).empty()) unfinished.text.clear();
  if (!unfinished.message.channel && !unfinished.text.empty()) unfinished.message.channel = defaults_.channel;
  return unfinished;
}

}  // namespace gossamer::harmony
