#include "server/app.h"
#include "server/call.h"
#include "server/routes.h"
#include "server/served_model.h"

namespace gossamer::server {
namespace {

/// A model as OpenAI lists it, with what vLLM adds for load tools.
json::object model_json(const ServedModel& model, const std::string& id) {
  const ModelNames& names = model.names();
  return {{"id", id},
          {"object", "model"},
          {"created", model.created_unix_seconds()},
          {"owned_by", "gossamer"},
          {"root", names.name},
          {"parent", nullptr},
          {"max_model_len", model.max_sequence_tokens()},
          {"aliases", json::array(names.aliases.begin(), names.aliases.end())},
          {"permission", json::array()}};
}

/// What Codex tells the model, where the list of models says it and the user does not.
constexpr char kCodexInstructions[] =
    "You are a coding agent in a terminal: you work in the user's folder, with the tools that you are given. Look at "
    "the "
    "files in question before you change them. Do what was asked, no more, in the style of what is there; run the "
    "tests or "
    "the program where you can. Never undo changes that you did not make. Keep going until the task is done, then say "
    "in a "
    "few sentences what you did and what is left. Say so where something failed or you did not check it.";

/// The entry of "models" that Codex reads; its reader needs every one of these fields.
json::object codex_model_json(const ServedModel& model) {
  json::array levels;
  for (const auto& [effort, description] :
       {std::pair("low", "Short thoughts, fast answers"), std::pair("medium", "Thinks as long as most questions need"),
        std::pair("high", "Thinks long")})
    levels.push_back({{"effort", effort}, {"description", description}});
  return {{"slug", model.name()},
          {"name", model.name()},
          {"model", model.name()},
          {"display_name", model.name()},
          {"description", "gpt-oss, served by gossamer"},
          {"default_reasoning_level", "medium"},
          {"supported_reasoning_levels", std::move(levels)},
          {"shell_type", "default"},
          {"visibility", "list"},
          {"minimal_client_version", json::array{0, 1, 0}},
          {"supported_in_api", true},
          {"priority", 1},
          {"upgrade", nullptr},
          {"base_instructions", kCodexInstructions},
          {"supports_reasoning_summaries", true},
          {"support_verbosity", false},
          {"default_verbosity", nullptr},
          {"apply_patch_tool_type", nullptr},
          {"truncation_policy", {{"mode", "bytes"}, {"limit", 10000}}},
          {"supports_parallel_tool_calls", false},
          {"context_window", model.max_sequence_tokens()},
          {"max_context_window", model.max_sequence_tokens()},
          {"reasoning_summary_format", "none"},
          {"input_modalities", json::array{"text"}},
          {"experimental_supported_tools", json::array()},
          {"capabilities", json::array{"completion", "tools", "thinking"}}};
}

void list_models(const std::shared_ptr<Call>& call) {
  const std::shared_ptr<ServedModel> model = call->find_model("");
  if (!model) return;
  json::array data = {model_json(*model, model->name())};
  for (const std::string& alias : model->names().aliases) data.push_back(model_json(*model, alias));
  call->respond(
      json::object{{"object", "list"}, {"data", std::move(data)}, {"models", json::array{codex_model_json(*model)}}});
}

void show_model(const std::shared_ptr<Call>& call) {
  if (const std::shared_ptr<ServedModel> model = call->find_model(call->path[0]))
    call->respond(model_json(*model, call->path[0]));
}

}  // namespace

void add_model_routes(App& app) {
  app.add_route("GET", "/v1/models", list_models);
  app.add_route("GET", "/v1/models/{id...}", show_model);
  app.add_route("GET", "/models", list_models);
  app.add_route("GET", "/models/{id...}", show_model);
}

}  // namespace gossamer::server
