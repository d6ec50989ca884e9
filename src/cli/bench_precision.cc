#include "cli/bench_precision.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/json.h"
#include "base/mmap_file.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "cli/progress_line.h"
#include "cli/scored_text.h"
#include "cli/terminal_text.h"
#include "engine/precision_loss.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr char kTextOfModel[] = "held_out.txt";  // beside the model's other files
constexpr uint64_t kLargestTextBytes = 64ull << 20;

/// What was measured, on what.
struct PrecisionReport {
  std::string model, backend, text_file;
  uint64_t texts = 0, tokens = 0;
  uint32_t window_tokens = 0;
  std::vector<PrecisionMode> modes;
  std::vector<LogitDifference> differences;  // [modes]
};

/// The file with the text: the one that was asked for, else the one beside the model at `model_path`.
Result<std::string> find_text(const PrecisionBenchOptions& options, const std::string& model_path) {
  if (!options.text.empty()) return options.text;
  const std::string path = (std::filesystem::path(model_path) / kTextOfModel).string();
  std::error_code ignored;  // any failure means: not there
  if (std::filesystem::exists(path, ignored)) return path;
  return make_error(ErrorCode::kInvalidInput,
                    "no text comes with {}; give one that it was not trained on with --text FILE", options.model.model);
}

/// The windows of all texts in `file`; `report` gets their counts.
Result<std::vector<ScoredTokens>> cut_texts(const std::string& file, const Tokenizer& tokenizer, bool all_positions,
                                            PrecisionReport& report) {
  std::vector<ScoredTokens> windows;
  for (ScoredTokens& text : scored_texts(file, tokenizer)) {
    if (all_positions) text.scored.assign(text.tokens.size(), true);
    ++report.texts;
    report.tokens += text.tokens.size();
    for (ScoredTokens& window : cut_windows(text, report.window_tokens)) windows.push_back(std::move(window));
  }
  if (!windows.empty()) return windows;
  return make_error(ErrorCode::kInvalidInput, "there is nothing to predict in {}: a text needs two tokens at least",
                    report.text_file);
}

/// Whether the backend of `loaded` rounds what `mode` wants rounded: dense matrices become int8 in a copy of the
/// weights, and some backends compute with those of the file.
Result<bool> can_compute(const PrecisionMode& mode, const LoadedModel& loaded) {
  if (mode.dense_dtype == DenseDtype::kAsStored) return true;
  GOS_TRY(auto backend, kernels::make_backend(loaded.model->backend().name(), *loaded.threads, mode.products));
  return Model(loaded.checkpoint, std::move(backend), mode.dense_dtype).packed_bytes() > 0;
}

Result<std::vector<PrecisionMode>> modes_of(const LoadedModel& loaded) {
  std::vector<PrecisionMode> modes;
  for (const PrecisionMode& mode : kPrecisionModes) {
    GOS_TRY(const bool possible, can_compute(mode, loaded));
    if (possible) modes.push_back(mode);
  }
  return modes;
}

Result<PrecisionReport> measure(PrecisionBenchOptions options) {
  PrecisionReport report;
  report.window_tokens = options.window_tokens;
  if (report.window_tokens == 0)
    return make_error(ErrorCode::kInvalidInput, "--tokens is 0, but a window has at least one");
  GOS_TRY(const std::string model_path, find_model(options.model.model));
  GOS_TRY(report.text_file, find_text(options, model_path));
  GOS_TRY(const std::string text, read_file(report.text_file, kLargestTextBytes));

  options.model.precision = "f32";  // the judge
  options.model.no_repack = true;   // the models of all modes read the weights where they lie
  GOS_TRY(const std::unique_ptr<LoadedModel> loaded, options.model.load(/*need_tokenizer=*/true));
  report.model = loaded->checkpoint.name();
  report.backend = loaded->model->backend().name();
  GOS_TRY(const std::vector<ScoredTokens> windows, cut_texts(text, *loaded->tokenizer, options.all_positions, report));
  GOS_TRY(report.modes, modes_of(*loaded));
  ProgressLine progress;
  GOS_TRY(report.differences, measure_precision(*loaded, windows, report.modes, [&](uint64_t done, uint64_t all) {
            progress.update("tokens computed", done, all);
          }));
  return report;
}

json::object to_json(const PrecisionReport& report) {
  json::array modes;
  for (size_t i = 0; i < report.modes.size(); ++i) {
    const PrecisionMode& mode = report.modes[i];
    const LogitDifference& difference = report.differences[i];
    modes.push_back(json::object{{"name", mode.name},
                                 {"precision", kernels::precision_name(mode.products)},
                                 {"kv_dtype", kernels::kv_dtype_name(mode.kv_dtype)},
                                 {"dense_dtype", mode.dense_dtype == DenseDtype::kInt8 ? "int8" : "as-stored"},
                                 {"logit_mean", difference.logit_mean()},
                                 {"logit_max", difference.logit_max()},
                                 {"logprob_mean", difference.logprob_mean()},
                                 {"kl_mean", difference.kl_mean()},
                                 {"top1_percent", difference.top1_percent()},
                                 {"perplexity", difference.perplexity()}});
  }
  return {{"model", report.model},
          {"backend", report.backend},
          {"text", report.text_file},
          {"texts", report.texts},
          {"tokens", report.tokens},
          {"window_tokens", report.window_tokens},
          {"positions", report.differences.front().positions()},
          {"modes", modes}};
}

/// As Markdown, so that documents can take it as it is.
std::string table_text(const PrecisionReport& report) {
  std::string text = fmt::format("{}, {}, {}: {} texts, {} tokens in windows of {}, {} positions compared\n\n",
                                 report.model, report.backend, report.text_file, report.texts, report.tokens,
                                 report.window_tokens, report.differences.front().positions());
  text += fmt::format("| {:<20} | {:>10} | {:>13} | {:>16} | {:>8} | {:>7} | {:>10} |\n", "computed with", "logit mean",
                      "logit largest", "log-prob. mean", "KL mean", "top-1 %", "perplexity");
  text += fmt::format("|{:-<22}|{:->11}:|{:->14}:|{:->17}:|{:->9}:|{:->8}:|{:->11}:|\n", "", "", "", "", "", "", "");
  for (size_t i = 0; i < report.modes.size(); ++i) {
    const LogitDifference& difference = report.differences[i];
    text +=
        fmt::format("| {:<20} | {:>10.1e} | {:>13.1e} | {:>16.1e} | {:>8.1e} | {:>7.3f} | {:>#10.6g} |\n",
                    report.modes[i].name, difference.logit_mean(), difference.logit_max(), difference.logprob_mean(),
                    difference.kl_mean(), difference.top1_percent(), difference.perplexity());
  }
  return text;
}

}  // namespace

int bench_precision(PrecisionBenchOptions options) {
  const bool json = options.json;
  const Result<PrecisionReport> report = measure(std::move(options));
  if (!report.ok()) return fail(report.error());
  Output out;
  if (json)
    out.line(harmony::compact_json(to_json(*report)));
  else
    out.write(Output::is_terminal() ? printable(table_text(*report)) : table_text(*report));
  return out.close();
}

}  // namespace gossamer::cli
