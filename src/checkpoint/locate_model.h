#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// Where models are looked for, in this order. An empty place is skipped.
struct ModelSearchPath {
  std::string
      own_cache;  ///< $GOSSAMER_HOME/models, else $XDG_CACHE_HOME/gossamer/models, else ~/.cache/gossamer/models
  std::string
      hugging_face_cache;    ///< $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub
  std::string demo_folder;   ///< models/gossamer-mini of the source tree or the installation
  std::string ollama_store;  ///< $OLLAMA_MODELS, else ~/.ollama/models, else that of its service
  static ModelSearchPath from_environment(std::string demo_folder);
};

/// The folder or .gguf file that `name` stands for: a path that exists, or a name in any case: a short one
/// (`gpt-oss:20b`, `gpt-oss-20b`, the same for 120b, `gpt-oss` and `gpt-oss:latest` for 20b, `gossamer-mini`), a
/// repository in the Hugging Face cache
/// (`openai/gpt-oss-20b`, `ggml-org/gpt-oss-20b-GGUF`), or that of an entry of gossamer's own cache.
/// Errors: it is not there (where was looked, how to get it, what is there), or a folder holds several .gguf files.
Result<std::string> locate_model(std::string_view name, const ModelSearchPath& search);

}  // namespace gossamer
