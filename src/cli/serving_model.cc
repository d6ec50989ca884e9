#include "cli/serving_model.h"

#include <filesystem>

#include "base/mmap_file.h"
#include "base/thread_pool.h"
#include "cli/progress_line.h"
#include "cli/setup_options.h"
#include "kernels/backend.h"
#include "server/engine_source.h"
#include "server/metrics.h"
#include "server/scripted_engine.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestScriptBytes = 64 << 20;

/// The date that prompts name, asked for with each request: a server runs for longer than a day.
Result<std::function<std::string()>> clock_of(const std::string& date) {
  SetupOptions setup;
  setup.date = date;
  GOS_TRY_STATUS(setup.make().ok() ? Status() : Status(setup.make().error()));
  return std::function<std::string()>([setup] { return setup.make()->date; });
}

Result<EngineOptions> engine_options_of(const ServeOptions& options) {
  GOS_TRY(EngineOptions engine, options.engine.resolve(options.model.chosen_precision()));
  engine.populate = true;
  engine.prefix_cache = !options.no_prefix_cache;
  engine.limits.max_rows = options.max_running;
  engine.limits.max_waiting_requests = options.max_queue;
  if (options.max_context > 0) engine.limits.max_sequence_tokens = options.max_context;
  return engine;
}

Result<std::shared_ptr<server::ServedModel>> scripted_model(const ServeOptions& options, server::App& app) {
  GOS_TRY(const std::string text, read_file(options.script, kLargestScriptBytes));
  server::ServedModelParts parts;
  parts.tokenizer = Tokenizer::o200k_harmony();
  server::Script script;
  parts.tokenizer->encode_with_specials(text, script.answers.emplace_back());
  if (options.max_context > 0) script.max_sequence_tokens = options.max_context;
  if (options.script_tokens_per_second > 0) script.seconds_per_token = 1.0 / options.script_tokens_per_second;
  script.max_waiting = options.max_running + options.max_queue;
  parts.names = server::ModelNames::of("scripted", options.served_names);
  parts.names.any = options.any_model;
  for (const char* name : {"<|return|>", "<|call|>", "<|endoftext|>"})
    parts.stop_tokens.push_back(*parts.tokenizer->special(name));
  parts.source = std::make_unique<server::ScriptedEngine>(std::move(script));
  GOS_TRY(parts.today, clock_of(options.date));
  return server::ServedModel::create(std::move(parts), &app.metrics());
}

}  // namespace

Status check_before_loading(const ServeOptions& options) {
  if (options.max_running == 0)
    return make_error(ErrorCode::kInvalidInput, "--max-running is 0; one answer has to be computed at least");
  if (options.max_queue == 0)
    return make_error(ErrorCode::kInvalidInput,
                      "--max-queue is 0; every request goes through the line, so it must hold one at least");
  GOS_TRY_STATUS(clock_of(options.date));
  if (!options.script.empty()) {
    GOS_TRY_STATUS(read_file(options.script, kLargestScriptBytes));
    return {};
  }
  GOS_TRY_STATUS(engine_options_of(options));
  GOS_TRY_STATUS(options.model.load_options());
  ThreadPool one_thread(1);
  GOS_TRY_STATUS(kernels::make_backend(options.model.backend, one_thread, options.model.chosen_precision()));
  GOS_TRY_STATUS(find_model(options.model.model));
  return {};
}

Result<std::shared_ptr<server::ServedModel>> load_served_model(const ServeOptions& options, server::App& app) {
  if (!options.script.empty()) return scripted_model(options, app);
  GOS_TRY(const EngineOptions engine_options, engine_options_of(options));
  GOS_TRY(const std::string path, find_model(options.model.model));
  GOS_TRY(LoadOptions load, options.model.load_options());
  load.need_tokenizer = true;
  std::shared_ptr<LoadedModel> loaded;
  {
    ProgressLine line;
    const auto progress = [&](std::string_view stage, uint64_t done, uint64_t total) {
      if (total > 0) app.set_loading(static_cast<double>(done) / static_cast<double>(total));
      line.update(stage, done, total);
    };
    GOS_TRY(std::unique_ptr<LoadedModel> fresh, LoadedModel::load(path, load, progress));
    loaded = std::move(fresh);
  }
  say_why_no_device(*loaded);
  say_where_experts_are(*loaded);
  GOS_TRY(std::unique_ptr<Engine> engine, Engine::start(*loaded, engine_options));
  engine->observe_steps([&metrics = app.metrics()](const StepRecord& step) { metrics.count_step(step.tokens); });

  server::ServedModelParts parts;
  std::vector<std::string> names = options.served_names;
  std::error_code ignored;  // any failure means: not a path
  const bool is_path = std::filesystem::exists(options.model.model, ignored);
  if (names.empty() && !is_path) names.push_back(options.model.model);  // as it was asked for, so it is known
  parts.names = server::ModelNames::of(loaded->checkpoint.name(), names);
  parts.names.any = options.any_model;
  parts.tokenizer = loaded->tokenizer;
  parts.keeps = loaded;
  parts.source = std::make_unique<server::EngineSource>(std::move(engine));
  parts.stop_tokens = loaded->stop_tokens();
  parts.defaults = loaded->checkpoint.generation();
  GOS_TRY(parts.today, clock_of(options.date));
  parts.checkpoint = &loaded->checkpoint;
  return server::ServedModel::create(std::move(parts), &app.metrics());
}

}  // namespace gossamer::cli
