#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/json.h"
#include "base/mmap_file.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

struct BenchOptions {
  std::vector<std::string> words;  // what is measured
  std::string model;
  std::string text_file;
  bool json = false;
};

constexpr uint64_t kLargestTextBytes = 1ull << 30;
constexpr auto kShortestRun = std::chrono::seconds(1);

/// Prose, code, other scripts: what prompts are made of.
constexpr std::string_view kSample =
    "The quick brown fox jumps over the lazy dog. It wasn't the first time, and it won't be the last: in 2024 alone "
    "1,234,567 foxes did.\n"
    "int main(int argc, char** argv) {\n    for (int i = 0; i < argc; ++i) printf(\"%s\\n\", argv[i]);\n    return "
    "0;\n}\n"
    "{\"name\": \"get_weather\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": "
    "\"string\"}}}}\n"
    "Der schnelle braune Fuchs springt über den faulen Hund. 敏捷的棕色狐狸跳过懒狗。 Быстрая лиса прыгает. الثعلب "
    "السريع 🦊🐶\n";

std::string sample_text() {
  std::string text;
  while (text.size() < (1 << 20)) text += kSample;
  return text;
}

/// Megabytes a second of `work`, which handles `num_bytes`, over at least a second.
template <class Work>
double megabytes_per_second(uint64_t num_bytes, Work work) {
  work();  // memory and tables are warm
  const auto started = std::chrono::steady_clock::now();
  uint64_t handled_bytes = 0;
  std::chrono::duration<double> elapsed{};
  do {
    work();
    handled_bytes += num_bytes;
    elapsed = std::chrono::steady_clock::now() - started;
  } while (elapsed < kShortestRun);
  return handled_bytes / elapsed.count() / 1e6;
}

Result<json::object> bench_tokenizer(const BenchOptions& options) {
  std::string text = sample_text();
  if (!options.text_file.empty()) {
    GOS_TRY(text, read_file(options.text_file, kLargestTextBytes));
  }
  if (text.empty()) return make_error(ErrorCode::kInvalidInput, "{} is empty", options.text_file);
  const auto started = std::chrono::steady_clock::now();
  GOS_TRY(const std::shared_ptr<const Tokenizer> tokenizer, find_tokenizer(options.model));
  const std::chrono::duration<double> load_time = std::chrono::steady_clock::now() - started;

  std::vector<TokenId> ids;
  std::string bytes;
  const double encode_rate = megabytes_per_second(text.size(), [&] {
    ids.clear();
    tokenizer->encode(text, ids);
  });
  const double decode_rate = megabytes_per_second(text.size(), [&] { bytes = tokenizer->decode_bytes(ids); });
  if (bytes != utf8_lossy(text))
    return make_error(ErrorCode::kInvalidInput, "the text does not survive a round trip: report this");
  return json::object{{"text_bytes", text.size()},
                      {"tokens", ids.size()},
                      {"load_seconds", load_time.count()},
                      {"encode_mb_per_second", encode_rate},
                      {"decode_mb_per_second", decode_rate}};
}

int bench(const BenchOptions& options) {
  if (options.words != std::vector<std::string>{"tokenizer"})
    return fail_usage("bench", "there is one thing to measure so far.", "gossamer bench tokenizer");
  Result<json::object> measured = bench_tokenizer(options);
  if (!measured.ok()) return fail(measured.error());
  Output out;
  if (options.json) out.line(harmony::compact_json(*measured));
  for (const auto& [name, value] : *measured)
    if (!options.json) out.line(fmt::format("{:<22}{}", std::string_view(name), harmony::compact_json(value)));
  return out.close();
}

}  // namespace

Command bench_command() {
  return {
      "bench", "Measure a part of gossamer on this machine",
      "  gossamer bench tokenizer\n  gossamer bench tokenizer --text book.txt --json", [](Options& options) {
        auto chosen = std::make_shared<BenchOptions>();
        options.words("tokenizer", chosen->words, 1, "What is measured: one thread that encodes and decodes a text");
        declare_tokenizer_model(options, chosen->model);
        options.text("--text", chosen->text_file, "The text (default: a mixture of prose, code and scripts)", "FILE");
        options.flag("--json", chosen->json, "Print one JSON object");
        return [chosen] { return bench(*chosen); };
      }};
}

}  // namespace gossamer::cli
