#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// Where models are looked for, in order: gossamer's own cache ($GOSSAMER_HOME/models, else $XDG_CACHE_HOME/gossamer/models, else
/// ~/.cache/gossamer/models), the Hugging Face cache ($HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub), and `demo_folder`.
struct ModelSearchPath {
  std::string own_cache;
  std::string hugging_face_cache;
  std::string demo_folder;  ///< models/gossamer-mini of the source tree or the installation
  static ModelSearchPath from_environment(std::string demo_folder);
};

/// The folder or .gguf file that `name` stands for: a path that exists, or a short name (`gpt-oss:20b`, `gpt-oss-20b`,
/// `openai/gpt-oss-20b`, the same for 120b, `NAME:latest`, `gossamer-mini`), in any case. A model that is not there: an Error that
/// says where was looked and how to get it.
Result<std::string> locate_model(std::string_view name, const ModelSearchPath& search);

}  // namespace gossamer
