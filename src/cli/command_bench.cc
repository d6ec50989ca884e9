#include <fmt/format.h>

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

int bench_tokenizer_command(const BenchOptions& options) {
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

int bench(BenchOptions options) {
  if (options.words.size() == 2 && options.model.empty()) options.model = options.words[1];
  if (!options.words.empty() && options.words[0] == "tokenizer") return bench_tokenizer_command(options);
  if (!options.words.empty() && options.words[0] == "throughput") {
    options.throughput.model.model = options.model;
    options.throughput.json = options.json;
    return bench_throughput(std::move(options.throughput));
  }
  if (!options.words.empty() && options.words[0] == "model") {
    options.rates.model = options.throughput.model;
    options.rates.model.model = options.model.empty() ? kDemoModel : options.model;
    options.rates.kv_dtype = options.throughput.engine.kv_dtype;
    options.rates.json = options.json;
    return bench_model(options.rates);
  }
  if (!options.words.empty() && options.words[0] == "precision") {
    options.precision.model = options.throughput.model;
    options.precision.model.model = options.model.empty() ? kDemoModel : options.model;
    options.precision.text = options.text_file;
    options.precision.json = options.json;
    return bench_precision(std::move(options.precision));
  }
  return fail_usage("bench", "what is to be measured: model, throughput, serve, precision or tokenizer?",
                    "gossamer bench model");
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
            return [chosen] { return bench(*chosen); };
          }};
}

}  // namespace gossamer::cli
