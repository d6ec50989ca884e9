#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gossamer {

/// With A to Z as a to z.
std::string lower_case(std::string_view text);

/// A model's name in one spelling: `gpt-oss:20b`, `GPT-OSS-20B`, `gpt-oss-20b-GGUF` and `gpt-oss-20b-mxfp4` have the
/// key "gpt-oss-20b".
struct ModelName {
  std::string organisation;  ///< "openai" of openai/gpt-oss-20b, lower case; empty where the name has none
  std::string key;           ///< lower case, the tag joined with '-', without ":latest", "-gguf" and "-mxfp4"
};

/// Any text has a spelling; that of an empty one is empty.
ModelName spell_model_name(std::string_view name);

/// True where somebody who asks for `wanted` can be given `offered`: same key, and no contradiction about the
/// organisation.
bool is_same_model(const ModelName& wanted, const ModelName& offered);

/// "openai/gpt-oss-20b" of a folder of the Hugging Face cache called "models--openai--gpt-oss-20b"; nothing for other
/// folders.
std::optional<std::string> repository_of(std::string_view cache_folder);

}  // namespace gossamer
