#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace gossamer::cli {

/// Arguments of `gossamer serve`, with the flags of other servers in our spelling.
struct ServeArguments {
  std::vector<std::string> arguments;
  std::vector<std::string> notes;  ///< sentences on flags that mean nothing here
};

/// Translates the flags of `vllm serve`, `sglang.launch_server` and `lmdeploy serve api_server` that have a meaning
/// here, in any spelling that these take (underscores for dashes, -O3, --no-ENABLE-X, keys behind a dot, 8k tokens).
/// Flags that are none of theirs are left for the command to judge. Errors: one that asks for what gossamer does
/// not do; the sentence says what to do instead.
Result<ServeArguments> translate_serve_flags(const std::vector<std::string>& arguments);

}  // namespace gossamer::cli
