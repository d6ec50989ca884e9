#include "harmony/header_grammar.h"

#include <string_view>

namespace gossamer::harmony {
namespace {

using Part = HeaderPlace::Part;

constexpr std::string_view kRole = "assistant";
constexpr std::string_view kMark = "to=";
constexpr std::string_view kChannelNames[kNumChannels] = {"analysis", "commentary", "final"};
constexpr std::string_view kTypes[] = {"json", "code"};
constexpr int32_t kUnnamedType = 2;  // <|constrain|> with no word behind it

unsigned char byte_at(std::string_view word, size_t offset) {
  return static_cast<unsigned char>(word[offset]);
}

/// Moves behind `byte` in `word`.
bool step_in(std::string_view word, uint32_t& offset, unsigned char byte) {
  if (offset >= word.size() || byte_at(word, offset) != byte) return false;
  ++offset;
  return true;
}

}  // namespace

HeaderPlace HeaderPlace::before_role(const HeaderPermits& permits) {
  HeaderPlace place;
  place.permits = permits;
  return place;
}

HeaderPlace HeaderPlace::behind_role(const HeaderPermits& permits) {
  HeaderPlace place = before_role(permits);
  place.offset = static_cast<uint32_t>(kRole.size());
  return place;
}

HeaderGrammar::HeaderGrammar(const std::vector<std::string>& recipients) : has_recipients_(!recipients.empty()) {
  for (size_t i = 0; i < recipients.size(); ++i) recipients_.add(recipients[i], static_cast<int32_t>(i));
}

/// A recipient may be named here, in the channel that was named or in one that follows.
bool HeaderGrammar::may_name_recipient(const HeaderPlace& place) const {
  if (!has_recipients_ || place.recipient >= 0) return false;
  if (place.channel >= 0) return place.permits.with_recipient[place.channel];
  for (bool permitted : place.permits.with_recipient)
    if (permitted) return true;
  return false;
}

/// Nothing but a content type and <|message|> may follow: is that a message that is permitted?
bool HeaderGrammar::may_take_type(const HeaderPlace& place) const {
  const HeaderPermits& permits = place.permits;
  return place.recipient >= 0 ? permits.with_recipient[place.channel] : permits.without_recipient[place.channel];
}

bool HeaderGrammar::is_usable(const HeaderPlace& place, uint8_t channel) const {
  HeaderPlace there = place;
  there.channel = channel;
  return may_take_type(there) || may_name_recipient(there);
}

bool HeaderGrammar::finish_recipient(HeaderPlace& place) const {
  if (place.part != Part::kRecipient) return false;
  const int32_t recipient = recipients_.word(place.offset);
  if (recipient < 0) return false;
  place.recipient = recipient;
  return true;
}

/// The channel is named, and so is the recipient where the header was naming one.
bool HeaderGrammar::is_behind_words(const HeaderPlace& place) const {
  if (place.channel < 0) return false;
  if (place.part == Part::kChannel) return place.offset == kChannelNames[place.channel].size();
  return place.part == Part::kRecipient && place.recipient >= 0;
}

bool HeaderGrammar::step(HeaderPlace& place, unsigned char byte) const {
  switch (place.part) {
    case Part::kRole:
      if (step_in(kRole, place.offset, byte)) return true;
      if (place.offset != kRole.size() || byte != ' ' || !may_name_recipient(place)) return false;
      place.part = Part::kMark;
      place.offset = 0;
      return true;
    case Part::kMark:
      if (!step_in(kMark, place.offset, byte)) return false;
      if (place.offset < kMark.size()) return true;
      place.part = Part::kRecipient;
      place.offset = 0;
      return true;
    case Part::kRecipient:
      if (const auto next = recipients_.next(place.offset, byte)) {
        place.offset = *next;
        return true;
      }
      finish_recipient(place);
      break;
    case Part::kChannel:
      if (place.channel >= 0) {
        if (step_in(kChannelNames[place.channel], place.offset, byte)) return true;
        break;
      }
      for (uint8_t channel = 0; channel < kNumChannels; ++channel) {
        if (byte_at(kChannelNames[channel], 0) != byte || !is_usable(place, channel)) continue;
        place.channel = channel;
        place.offset = 1;
        return true;
      }
      return false;
    case Part::kSpace:
      if (byte == byte_at(kMark, 0) && may_name_recipient(place)) {
        place.part = Part::kMark;
        place.offset = 1;
        return true;
      }
      if (!may_take_type(place)) return false;
      [[fallthrough]];
    case Part::kType:
      if (place.type >= 0 && place.type < kUnnamedType) return step_in(kTypes[place.type], place.offset, byte);
      for (int32_t type = 0; type < kUnnamedType; ++type) {
        if (byte_at(kTypes[type], 0) != byte) continue;
        place.part = Part::kType;
        place.type = type;
        place.offset = 1;
        return true;
      }
      return false;
  }
  if (byte != ' ' || !is_behind_words(place)) return false;
  if (!may_take_type(place) && !may_name_recipient(place)) return false;
  place.part = Part::kSpace;
  return true;
}

bool HeaderGrammar::step(HeaderPlace& place, HeaderMarker marker) const {
  finish_recipient(place);
  switch (marker) {
    case HeaderMarker::kChannel: {
      const bool behind_role = place.part == Part::kRole && place.offset == kRole.size();
      const bool behind_recipient = place.part == Part::kRecipient && place.recipient >= 0 && place.channel < 0;
      if (!behind_role && !behind_recipient) return false;
      place.part = Part::kChannel;
      place.offset = 0;
      return true;
    }
    case HeaderMarker::kConstrain:
      if (place.part != Part::kSpace && !is_behind_words(place)) return false;
      if (!may_take_type(place)) return false;
      place.part = Part::kType;
      place.type = kUnnamedType;
      return true;
    case HeaderMarker::kMessage:
      if (place.part != Part::kType) return is_behind_words(place) && may_take_type(place);
      return place.type == kUnnamedType || place.offset == kTypes[place.type].size();
  }
  return false;
}

void HeaderGrammar::next_bytes(const HeaderPlace& place, std::string& bytes) const {
  std::string candidates = " ";
  const auto add = [&](std::string_view word, size_t offset) {
    if (offset < word.size()) candidates.push_back(word[offset]);
  };
  switch (place.part) {
    case Part::kRole:
      add(kRole, place.offset);
      break;
    case Part::kMark:
      add(kMark, place.offset);
      break;
    case Part::kRecipient:
      recipients_.for_each_byte(place.offset, [&](unsigned char byte) {
        if (byte != ' ') candidates.push_back(static_cast<char>(byte));
      });
      break;
    case Part::kChannel:
      if (place.channel >= 0) {
        add(kChannelNames[place.channel], place.offset);
      } else {
        for (std::string_view name : kChannelNames) add(name, 0);
      }
      break;
    case Part::kSpace:
      add(kMark, 0);
      [[fallthrough]];
    case Part::kType:
      if (place.type >= 0 && place.type < kUnnamedType) {
        add(kTypes[place.type], place.offset);
      } else {
        for (std::string_view type : kTypes) add(type, 0);
      }
      break;
  }
  for (const char candidate : candidates) {
    HeaderPlace there = place;
    if (step(there, static_cast<unsigned char>(candidate))) bytes.push_back(candidate);
  }
}

}  // namespace gossamer::harmony
