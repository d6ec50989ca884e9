#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json.h"
#include "base/mmap_file.h"
#include "cli/bench_model.h"
#include "cli/bench_precision.h"
#include "cli/bench_throughput.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "harmony/json_text.h"
#include "tokenizer/tokenizer_bench.h"

namespace gossamer::cli {
namespace {

struct BenchOptions {
  std::vector<std::string> words;  // what is measured, and perhaps the model
  std::string model;
  std::string text_file;
  bool json = false;
  ThroughputOptions throughput;
  ModelBenchOptions rates;
  PrecisionBenchOptions precision;
};

constexpr uint64_t kLargestTextBytes = 1ull << 30;
constexpr double kSecondsEachText = 2;

Result<json::array> bench_tokenizer(const BenchOptions& options) {
  std::string text;
  if (!options.text_file.empty()) {
    GOS_TRY(text, read_file(options.text_file, kLargestTextBytes));
    if (text.empty()) return make_error(ErrorCode::kInvalidInput, "{} is empty", options.text_file);
  }
  GOS_TRY(const std::shared_ptr<const Tokenizer> tokenizer, find_tokenizer(options.model));
  json::array texts;
  for (const TokenizerBenchRow& row : run_tokenizer_bench(*tokenizer, text, kSecondsEachText)) {
    texts.push_back(json::object{{"name", row.name},
                                 {"text_bytes", row.text_bytes},
                                 {"tokens", row.num_tokens},
                                 {"encode_mb_per_second", row.encode_mb_per_second},
                                 {"decode_mb_per_second", row.decode_mb_per_second}});
  }
  return texts;
}

std::string table_row(const json::value& text) {
  return fmt::format("{:<14}{:>9.1f} MB {:>9} tokens {:>8.1f} MB/s encode {:>8.1f} MB/s decode",
                     std::string_view(text.at("name").as_string()), text.at("text_bytes").to_number<double>() / 1e6,
                     text.at("tokens").to_number<uint64_t>(), text.at("encode_mb_per_second").as_double(),
                     text.at("decode_mb_per_second").as_double());
}

int measure_tokenizer(BenchOptions options) {
  Result<json::array> texts = bench_tokenizer(options);
  if (!texts.ok()) return fail(texts.error());
  Output out;
  if (options.json) {
    out.line(harmony::compact_json(json::object{{"texts", *std::move(texts)}}));
  } else {
    for (const json::value& text : *texts) out.line(table_row(text));
  }
  return out.close();
}

int measure_throughput(BenchOptions options) {
  options.throughput.model.model = options.model;
  options.throughput.json = options.json;
  return bench_throughput(std::move(options.throughput));
}

int measure_model(BenchOptions options) {
  options.rates.model = options.throughput.model;
  options.rates.model.model = options.model.empty() ? kDemoModel : options.model;
  options.rates.kv_dtype = options.throughput.engine.kv_dtype;
  options.rates.json = options.json;
  return bench_model(options.rates);
}

int measure_precision(BenchOptions options) {
  options.precision.model = options.throughput.model;
  options.precision.model.model = options.model.empty() ? kDemoModel : options.model;
  options.precision.text = options.text_file;
  options.precision.json = options.json;
  return bench_precision(std::move(options.precision));
}

/// Something that can be measured.
struct Measurement {
  std::string_view name;
  int (*run)(BenchOptions);
  std::vector<std::string_view> options;  ///< that belong to it, besides --model and --json
};

const std::vector<Measurement>& measurements() {
  static const std::vector<Measurement> all = {
      {"model",
       measure_model,
       {"--threads", "--backend", "--no-repack", "--keep-packed", "--dense-dtype", "--precision", "--exact",
        "--kv-dtype", "--pp", "--tg", "--depth", "--parallel", "--runs", "--chunk", "--stages", "--chart"}},
      {"throughput", measure_throughput, {"--threads",     "--backend",     "--no-repack",
                                          "--keep-packed", "--dense-dtype", "--precision",
                                          "--exact",       "--device",      "--gpu-memory-utilization",
                                          "--gpu-memory",  "--gpu-sums",    "--kv-dtype",
                                          "--kv-memory",   "--tpot-goal",   "--requests",
                                          "--concurrency", "--input-len",   "--output-len",
                                          "--dataset",     "--seed",        "--config"}},
      {"precision", measure_precision, {"--threads", "--backend", "--text", "--tokens", "--all-positions"}},
      {"tokenizer", measure_tokenizer, {"--text"}}};
  return all;
}

bool takes(const Measurement& measurement, std::string_view option) {
  if (option == "--model" || option == "--json") return true;
  return std::find(measurement.options.begin(), measurement.options.end(), option) != measurement.options.end();
}

/// "bench model and bench throughput": those that have `option`.
std::string owners_of(std::string_view option) {
  std::string owners;
  for (const Measurement& measurement : measurements())
    if (takes(measurement, option))
      owners += fmt::format("{}bench {}", owners.empty() ? "" : " and ", measurement.name);
  return owners;
}

int bench(BenchOptions options, const std::vector<std::string>& given) {
  const std::string what = options.words.empty() ? "" : options.words[0];
  const auto chosen =
      std::find_if(measurements().begin(), measurements().end(), [&](const Measurement& m) { return m.name == what; });
  if (chosen == measurements().end())
    return fail_usage("bench", "what is to be measured: model, throughput, serve, precision or tokenizer?",
                      "gossamer bench model");
  for (const std::string& option : given)
    if (!takes(*chosen, option))
      return fail_usage("bench", fmt::format("bench {} has no option {}; it belongs to {}.", chosen->name, option,
                                             owners_of(option)));
  if (options.words.size() == 2 && options.model.empty()) options.model = options.words[1];
  return chosen->run(std::move(options));
}

}  // namespace

Command bench_command() {
  return {"bench", "Measure a part of gossamer on this machine",
          "  gossamer bench model gpt-oss:20b --pp 128,512 --tg 32 --depth 0,1024 --parallel 4,8\n"
          "  gossamer bench throughput --requests 32 --concurrency 8 --input-len 100-300 --output-len 64\n"
          "  gossamer bench throughput gpt-oss:20b --dataset sharegpt.json --json\n"
          "  gossamer bench precision\n"
          "  gossamer bench tokenizer --text book.txt",
          [](Options& options) {
            auto chosen = std::make_shared<BenchOptions>();
            options.words(
                "what", chosen->words, 2,
                "model (prefill and decode against what the machine could do), throughput (requests through the "
                "engine, offline), precision (what each rounding costs, against float32) or tokenizer (one thread that "
                "encodes and decodes a text), and perhaps the model. A server under load: gossamer bench serve --help");
            options.text("-m,--model", chosen->model,
                         std::string(kModelHelp) + " (default: the demo model; its tokenizer: o200k_harmony)", "NAME");
            options.text("--text", chosen->text_file,
                         "tokenizer: the text (default: made-up prose, code and other scripts); precision: a text "
                         "that the model was not trained on, <|endoftext|> between several (default: the demo model's)",
                         "FILE");
            options.count("--tokens", chosen->precision.window_tokens,
                          "precision: longer texts are cut into windows of so many");
            options.flag("--all-positions", chosen->precision.all_positions,
                         "precision: compare what others say in conversations too, not only what the assistant writes");
            chosen->throughput.declare(options);
            chosen->rates.declare(options);
            options.flag("--json", chosen->json, "Print one JSON object");
            return [chosen, &options] { return bench(*chosen, options.given()); };
          }};
}

}  // namespace gossamer::cli
