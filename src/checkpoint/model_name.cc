#include "checkpoint/model_name.h"

#include <algorithm>

namespace gossamer {
namespace {

void drop_suffix(std::string& text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
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

bool is_same_model(const ModelName& wanted, const ModelName& offered) {
  if (wanted.key != offered.key) return false;
  return wanted.organisation.empty() || offered.organisation.empty() || wanted.organisation == offered.organisation;
}

}  // namespace gossamer
