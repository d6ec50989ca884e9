#pragma once
/// The three places on disk that hold models by name. Reading one never fails: what cannot be read is not offered.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// A model that some place offers.
struct StoredModel {
  std::string name;  ///< as people write it there: "openai/gpt-oss-20b", "gpt-oss:20b"
  std::string path;  ///< its folder or .gguf file
};

/// gossamer's own cache: subfolders and .gguf files, named like the model; one more level for organisations.
std::vector<StoredModel> list_own_cache(const std::string& folder);

/// The Hugging Face cache: models--ORG--NAME/snapshots/REVISION, the revision that refs/main names, else the newest.
std::vector<StoredModel> list_hugging_face_cache(const std::string& folder);

/// Ollama's store: manifests/HOST/NAMESPACE/NAME/TAG name blobs by digest. Only models called gpt-oss are offered.
std::vector<StoredModel> list_ollama_store(const std::string& folder);

/// The model in a folder: the folder itself where it has a config.json (or original/config.json), else its one .gguf
/// file (for a split model the first part; among several, the one called MXFP4). Nothing where it has neither. Errors:
/// several .gguf files of which none is the obvious one.
Result<std::optional<std::string>> model_in_folder(const std::string& folder);

}  // namespace gossamer
