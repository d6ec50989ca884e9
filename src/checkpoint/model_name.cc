#include "checkpoint/model_name.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer {
namespace {

void drop_suffix(std::string& text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

ModelName spell_model_name(std::string_view name) {
  ModelName spelled;
  spelled.key = lower_case(name);
  if (spelled.key.starts_with("hf.co/")) spelled.key.erase(0, 6);
  if (const size_t slash = spelled.key.rfind('/'); slash != std::string::npos) {
    spelled.organisation = spelled.key.substr(0, slash);
    spelled.key.erase(0, slash + 1);
  }
  drop_suffix(spelled.key, ":latest");
  std::ranges::replace(spelled.key, ':', '-');
  drop_suffix(spelled.key, "-gguf");
  drop_suffix(spelled.key, "-mxfp4");
  if (spelled.key == "gpt-oss") spelled.key = "gpt-oss-20b";  // what Ollama calls the latest
  return spelled;
}

std::optional<std::string> repository_of(std::string_view cache_folder) {
  constexpr std::string_view kPrefix = "models--", kBetween = "--";
  if (!cache_folder.starts_with(kPrefix)) return std::nullopt;
  cache_folder.remove_prefix(kPrefix.size());
  const size_t dashes = cache_folder.find(kBetween);
  if (dashes == std::string_view::npos) return std::string(cache_folder);
  return fmt::format("{}/{}", cache_folder.substr(0, dashes), cache_folder.substr(dashes + kBetween.size()));
}

bool is_same_model(const ModelName& wanted, const ModelName& offered) {
  if (wanted.key != offered.key) return false;
  return wanted.organisation.empty() || offered.organisation.empty() || wanted.organisation == offered.organisation;
}

}  // namespace gossamer
