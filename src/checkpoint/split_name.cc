#include "checkpoint/split_name.h"

#include <fmt/format.h>

#include <charconv>

namespace gossamer {
namespace {

constexpr size_t kDigits = 5;

std::optional<uint32_t> parse_digits(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::optional<SplitName> parse_split_name(std::string_view name) {
  constexpr std::string_view kExtension = ".gguf", kBetween = "-of-";
  constexpr size_t kEndingBytes = 1 + kDigits + kBetween.size() + kDigits;
  if (!name.ends_with(kExtension)) return std::nullopt;
  name.remove_suffix(kExtension.size());
  if (name.size() <= kEndingBytes) return std::nullopt;
  const std::string_view ending = name.substr(name.size() - kEndingBytes);
  const auto number = parse_digits(ending.substr(1, kDigits)),
             count = parse_digits(ending.substr(kEndingBytes - kDigits));
  if (ending.front() != '-' || ending.substr(1 + kDigits, kBetween.size()) != kBetween || !number || !count)
    return std::nullopt;
  return SplitName{std::string(name.substr(0, name.size() - kEndingBytes)), *number, *count};
}

std::string split_name(const SplitName& model, uint32_t number) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", model.stem, number, model.count);
}

}  // namespace gossamer
