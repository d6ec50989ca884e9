#include <memory>

#include "checkpoint/summary.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/terminal_text.h"

namespace gossamer::cli {
namespace {

struct ShowOptions {
  std::vector<std::string> words;
  std::string model = kDemoModel;
  bool json = false;
};

Result<std::string> describe(const ShowOptions& options) {
  GOS_TRY(const std::string path, find_model(options.words.empty() ? options.model : options.words.front()));
  GOS_TRY(const Checkpoint checkpoint, Checkpoint::open(path));
  if (options.json) return json::serialize(show_json(checkpoint)) + "\n";
  return Output::is_terminal() ? printable(show_text(checkpoint)) : show_text(checkpoint);
}

int show(const ShowOptions& options) {
  Result<std::string> description = describe(options);
  if (!description.ok()) return fail(description.error());
  Output out;
  out.write(*description);
  return out.close();
}

}  // namespace

Command show_command() {
  return {"show", "Print what is in a model", "  gossamer show gpt-oss:20b\n  gossamer show ./model.gguf --json",
          [](Options& options) {
            auto chosen = std::make_shared<ShowOptions>();
            options.words("[MODEL]", chosen->words, 1, "The model (default: the demo model)");
            options.text("-m,--model", chosen->model, kModelHelp, "NAME");
            options.flag("--json", chosen->json, "Print one JSON object");
            return [chosen] { return show(*chosen); };
          }};
}

}  // namespace gossamer::cli
