#pragma once

#include <cstdint>
#include <string_view>

namespace gossamer::cli {

/// A flag of `vllm serve`, `sglang.launch_server` or `lmdeploy serve api_server`, and what it means to `gossamer
/// serve`.
struct ForeignFlag {
  enum class Fate : uint8_t {
    kRename,  ///< `detail` is our spelling of it
    kIgnore,  ///< `detail` says why it is not needed
    kRefuse,  ///< `detail` says what to do instead
  };
  enum class Takes : uint8_t { kNothing, kValue, kValues };  ///< kValues: one and more, until the next flag

  std::string_view name;
  Fate fate = Fate::kIgnore;
  std::string_view detail;
  Takes takes = Takes::kValue;
  std::string_view only = {};  ///< kIgnore: values for which that holds, parted by |; empty: any
};

/// Also one key of a flag that takes an object: "--compilation-config.level". Null: none of theirs.
const ForeignFlag* find_foreign_flag(std::string_view name);

/// The switch that "--no-NAME" turns off, where it changes nothing here or is refused. Null: none such.
const ForeignFlag* find_negated_flag(std::string_view name);

}  // namespace gossamer::cli
