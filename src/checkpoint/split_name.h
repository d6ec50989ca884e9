#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gossamer {

/// The name of one file of a split GGUF model: "x-00002-of-00003.gguf" is part 2 of 3 of "x".
struct SplitName {
  std::string stem;  ///< with the folder, where the name had one
  uint32_t number = 0;
  uint32_t count = 0;
};

/// Nothing where `name` is not of that form.
std::optional<SplitName> parse_split_name(std::string_view name);

/// The name of part `number`.
std::string split_name(const SplitName& model, uint32_t number);

}  // namespace gossamer
