#include "checkpoint/locate_model.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "checkpoint/model_name.h"
#include "checkpoint/model_store.h"
#include "checkpoint/paths.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

constexpr std::string_view kDemoName = "gossamer-mini";
constexpr const char* kOllamaServiceStore = "/usr/share/ollama/.ollama/models";  // where it runs as a service

/// The value of an environment variable with `below` appended; empty where it is not set.
std::string environment_path(const char* variable, std::string_view below) {
  const char* value = std::getenv(variable);
  return value && *value ? std::string(value) + std::string(below) : "";
}

std::string first_of(std::initializer_list<std::string> places) {
  for (const std::string& place : places)
    if (!place.empty()) return place;
  return "";
}

/// All that the places offer, in the order of the search.
std::vector<StoredModel> list_models(const ModelSearchPath& search) {
  std::vector<StoredModel> models;
  const auto append = [&](std::vector<StoredModel> more) { std::ranges::move(more, std::back_inserter(models)); };
  if (!search.own_cache.empty()) append(list_own_cache(search.own_cache));
  if (!search.hugging_face_cache.empty()) append(list_hugging_face_cache(search.hugging_face_cache));
  if (!search.ollama_store.empty()) append(list_ollama_store(search.ollama_store));
  if (is_file(search.demo_folder + "/config.json")) append({{std::string(kDemoName), search.demo_folder}});
  return models;
}

/// What is surely meant as a path and not as a name.
bool looks_like_path(std::string_view name) {
  return name.starts_with('/') || name.starts_with("./") || name.starts_with("../") || name.starts_with('~') ||
         name.ends_with(".gguf") || name.ends_with('/');
}

/// How to get a model that is not there. `text` is its name as it was asked for.
std::string how_to_get(std::string_view text, const ModelName& name) {
  if (name.key == kDemoName) return "it comes with the source tree of gossamer";
  const bool known = name.key == "gpt-oss-20b" || name.key == "gpt-oss-120b";
  if (known && (name.organisation.empty() || name.organisation == "openai"))
    return name.key == "gpt-oss-20b"
               ? "get it (14 GB) with `hf download openai/gpt-oss-20b --exclude \"*/*\"` or `ollama pull gpt-oss:20b`"
               : "get it (65 GB) with `hf download openai/gpt-oss-120b --exclude \"*/*\"` or `ollama pull "
                 "gpt-oss:120b`";
  if (!name.organisation.empty())
    return fmt::format("if it is a repository on Hugging Face, get it with `hf download {}`", excerpt(text));
  return "gossamer runs gpt-oss-20b, gpt-oss-120b and gossamer-mini, or a folder or .gguf file named by its path";
}

/// Names of the models that are there and that gossamer may well run, at most some.
std::string what_is_there(const std::vector<StoredModel>& models) {
  constexpr size_t kMaxNames = 8;
  std::vector<std::string> names;
  for (const StoredModel& model : models) {
    const std::string key = spell_model_name(model.name).key;
    const bool likely = key.find("gpt-oss") != std::string::npos || key.find("gossamer") != std::string::npos;
    if (likely && names.size() < kMaxNames && std::ranges::find(names, model.name) == names.end())
      names.push_back(model.name);
  }
  return names.empty() ? "" : fmt::format("; there is: {}", fmt::join(names, ", "));
}

Error not_found(std::string_view text, const ModelName& name, const ModelSearchPath& search,
                const std::vector<StoredModel>& models) {
  std::string places;
  for (const std::string& place : {search.own_cache, search.hugging_face_cache, search.ollama_store})
    if (!place.empty()) places += (places.empty() ? " in " : ", ") + place;
  return make_error(ErrorCode::kNotFound, "there is no model {}{}: {}{}", excerpt(text), places, how_to_get(text, name),
                    what_is_there(models));
}

/// A path that exists: itself, or the model in it where it is a folder.
Result<std::string> resolve_path(const std::string& path) {
  if (!is_folder(path)) return path;
  GOS_TRY(const auto model, model_in_folder(path));
  if (model) return *model;
  return make_error(ErrorCode::kNotFound,
                    "{} is a folder without a model: neither config.json nor a .gguf file is in it", path);
}

}  // namespace

ModelSearchPath ModelSearchPath::from_environment(std::string demo_folder) {
  ModelSearchPath search;
  search.own_cache =
      first_of({environment_path("GOSSAMER_HOME", "/models"), environment_path("XDG_CACHE_HOME", "/gossamer/models"),
                environment_path("HOME", "/.cache/gossamer/models")});
  search.hugging_face_cache = first_of({environment_path("HF_HUB_CACHE", ""), environment_path("HF_HOME", "/hub"),
                                        environment_path("XDG_CACHE_HOME", "/huggingface/hub"),
                                        environment_path("HOME", "/.cache/huggingface/hub")});
  search.ollama_store = first_of({environment_path("OLLAMA_MODELS", ""), environment_path("HOME", "/.ollama/models")});
  if (!is_folder(search.ollama_store) && is_folder(kOllamaServiceStore)) search.ollama_store = kOllamaServiceStore;
  search.demo_folder = std::move(demo_folder);
  return search;
}

Result<std::string> locate_model(std::string_view text, const ModelSearchPath& search) {
  const std::string path(text);
  if (path.empty() || path.find('\0') != std::string::npos)
    return make_error(ErrorCode::kInvalidInput, "the name of the model is empty");
  if (path_exists(path)) {
    auto model = resolve_path(path);
    // a folder that happens to be called like a model must not hide the model
    if (model.ok() || looks_like_path(path) || model.error().code != ErrorCode::kNotFound) return model;
  }
  if (looks_like_path(path)) return make_error(ErrorCode::kNotFound, "there is no file or folder {}", path);

  const ModelName wanted = spell_model_name(path);
  const std::vector<StoredModel> models = list_models(search);
  for (const StoredModel& model : models)
    if (is_same_model(wanted, spell_model_name(model.name))) return resolve_path(model.path);
  return not_found(path, wanted, search, models);
}

}  // namespace gossamer
