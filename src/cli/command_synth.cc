#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <memory>

#include "base/json.h"
#include "checkpoint/summary.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/terminal_text.h"
#include "harmony/json_text.h"
#include "synthetic/write_model.h"

namespace gossamer::cli {
namespace {

struct SynthOptions {
  std::vector<std::string> words;  // where to
  std::string preset = "20b";
  std::string format;
  std::optional<uint64_t> seed;
  uint32_t threads = 0;
  bool force = false, json = false;
};

/// What was asked for. The name of the output says which format it is where the option does not.
synthetic::ModelRequest request_of(const SynthOptions& options) {
  synthetic::ModelRequest request;
  request.path = options.words.front();
  const bool gguf = options.format.empty() ? request.path.ends_with(".gguf") : options.format == "gguf";
  request.format = gguf ? synthetic::ModelFormat::kGguf : synthetic::ModelFormat::kSafetensors;
  if (!gguf)  // "folder/" is that folder
    while (request.path.size() > 1 && request.path.ends_with('/')) request.path.pop_back();
  request.preset = *synthetic::find_preset(options.preset);
  request.seed = options.seed.value_or(0);
  request.force = options.force;
  request.num_threads = options.threads;
  return request;
}

/// Bytes on a line that moves; where stderr is no terminal, each file once.
class WritingProgress {
 public:
  ProgressFn callback() {
    return [this](std::string_view stage, uint64_t done, uint64_t total) { update(stage, done, total); };
  }
  void clear() { line_.clear(); }

 private:
  void update(std::string_view stage, uint64_t done, uint64_t total) {
    line_.update(stage, done, total);
    if (stage == stage_) return;
    stage_ = stage;
    if (isatty(STDERR_FILENO) != 1) fmt::print(stderr, "{}\n", printable(stage_));
  }

  ProgressLine line_;
  std::string stage_;
};

std::string describe(const synthetic::ModelRequest& request, const synthetic::WrittenModel& model, double seconds,
                     bool as_json) {
  const bool gguf = request.format == synthetic::ModelFormat::kGguf;
  if (as_json)
    return harmony::compact_json(json::object{{"path", request.path},
                                              {"format", gguf ? "gguf" : "safetensors"},
                                              {"preset", request.preset.name},
                                              {"seed", request.seed},
                                              {"files", model.num_files},
                                              {"size_bytes", model.size_bytes},
                                              {"seconds", seconds}});
  return fmt::format("{}: {} in {:.1f} s", request.path, bytes_text(model.size_bytes), seconds);
}

int synth(const SynthOptions& options) {
  if (options.words.empty() || options.words.front().empty())
    return fail_usage("synth", "where is the model to be written?", "gossamer synth model.gguf --preset small");
  if (options.format == "safetensors" && options.words.front().ends_with(".gguf"))
    return fail_usage("synth",
                      fmt::format("{} is the name of a GGUF file, and --format says safetensors, which is a folder.",
                                  options.words.front()));
  const synthetic::ModelRequest request = request_of(options);
  const InterruptGuard interrupt;
  WritingProgress progress;
  const auto started = std::chrono::steady_clock::now();
  const Result<synthetic::WrittenModel> model =
      synthetic::write_model(request, progress.callback(), [] { return !InterruptGuard::requested(); });
  progress.clear();
  if (!model.ok()) return fail(model.error());
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  Output out;
  const std::string description = describe(request, *model, elapsed.count(), options.json);
  out.line(Output::is_terminal() ? printable(description) : description);
  return out.close();
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const synthetic::Preset& preset : synthetic::presets()) names.emplace_back(preset.name);
  return names;
}

}  // namespace

Command synth_command() {
  return {"synth", "Write a random model of full size, for benchmarks",
          "  gossamer synth random-20b.gguf\n"
          "  gossamer synth random-120b --preset 120b --seed 7\n"
          "  gossamer synth small.gguf --preset small && gossamer bench throughput small.gguf",
          [](Options& options) {
            auto chosen = std::make_shared<SynthOptions>();
            options.words("OUT", chosen->words, 1, "The GGUF file or the folder to write");
            options.choice("--preset", chosen->preset, preset_names(),
                           "Shapes of gpt-oss-20b (12 GB as GGUF) or -120b (63 GB); small: two layers of 20b and few "
                           "tokens (1.1 GB); tiny: for tests");
            options.choice("--format", chosen->format, {"gguf", "safetensors"},
                           "One GGUF file, or a folder as on Hugging Face (default: what OUT ends in)");
            options.integer("--seed", chosen->seed, "Same preset and seed, same numbers on every machine (default: 0)");
            options.count("--threads", chosen->threads,
                          "Threads that write (default: every processor this process may use)");
            options.flag("--force", chosen->force, "Replace a model that is there");
            options.flag("--json", chosen->json, "Print one JSON object");
            return [chosen] { return synth(*chosen); };
          }};
}

}  // namespace gossamer::cli
