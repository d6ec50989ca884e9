/// Prefill and decode rates of a model, with random tokens and no sampler, and the share of the memory limit that
/// decode reaches.
///
///   bench_forward MODEL [--pp 128,512] [--tg 32] [--depth 0] [--repeat 3] [--threads N] [--backend NAME]
///     [--precision default|f32] [--json]

#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>

#include "base/cpu.h"
#include "bench/memory_bandwidth.h"
#include "engine/loaded_model.h"
#include "model/solo_sequence.h"

namespace gossamer::bench {
namespace {

struct Options {
  std::string model, backend;
  std::vector<uint32_t> prefill_tokens{128, 512}, depths{0};
  uint32_t decode_tokens = 32;
  int repeats = 3;
  unsigned threads = 0;
  kernels::Precision precision = kernels::Precision::kDefault;
  bool as_json = false;
};

struct Figure {
  std::string name;
  std::vector<double> tokens_per_second;  // sorted
  double median() const { return tokens_per_second[tokens_per_second.size() / 2]; }
};

std::vector<uint32_t> numbers(const std::string& list) {
  std::vector<uint32_t> values;
  for (size_t at = 0; at < list.size(); at = std::min(list.find(',', at), list.size() - 1) + 1)
    values.push_back(static_cast<uint32_t>(std::stoul(list.substr(at))));
  return values;
}

/// Weight bytes that one token of decode reads: all dense matrices but the embedding, and the active experts.
double decode_bytes(const Checkpoint& checkpoint) {
  const auto matrix = [](const MatrixView& m) { return static_cast<double>(m.size_bytes()); };
  const auto expert = [](const ExpertMatrixView& m) {
    return static_cast<double>(m.rows * row_bytes(m.dtype, m.cols));
  };
  double bytes = matrix(checkpoint.tensors().lm_head);
  for (const LayerTensors& layer : checkpoint.tensors().layers) {
    bytes += matrix(layer.q) + matrix(layer.k) + matrix(layer.v) + matrix(layer.o) + matrix(layer.router);
    bytes += checkpoint.config().experts_per_token * (expert(layer.gate) + expert(layer.up) + expert(layer.down));
  }
  return bytes;
}

double resident_gigabytes() {
  std::ifstream status("/proc/self/status");
  std::string field;
  while (status >> field)
    if (double kilobytes; field == "VmRSS:" && status >> kilobytes) return kilobytes / 1e6;
  return 0;
}

class Bench {
 public:
  Bench(LoadedModel& loaded, const Options& options) : loaded_(loaded), options_(options) {}

  std::vector<Figure> run() {
    std::vector<Figure> figures;
    for (uint32_t tokens : options_.prefill_tokens)
      figures.push_back(measure(fmt::format("pp{}", tokens), [&] { return prefill(tokens); }));
    for (uint32_t depth : options_.depths)
      figures.push_back(measure(fmt::format("tg{}@{}", options_.decode_tokens, depth), [&] { return decode(depth); }));
    return figures;
  }

 private:
  template <class Pass>
  Figure measure(std::string name, Pass pass) {
    Figure figure{std::move(name), {}};
    pass();  // warm-up
    for (int i = 0; i < options_.repeats; ++i) figure.tokens_per_second.push_back(pass());
    std::sort(figure.tokens_per_second.begin(), figure.tokens_per_second.end());
    return figure;
  }

  SoloSequence make_sequence(uint32_t tokens) {
    auto sequence = SoloSequence::make(*loaded_.model, kernels::KvDtype::kBf16, tokens);
    if (!sequence.ok()) fail(sequence.error());
    return std::move(*sequence);
  }

  [[noreturn]] static void fail(const Error& error) {
    fmt::print(stderr, "bench_forward: {}\n", error.message);
    std::exit(1);
  }

  void extend(SoloSequence& sequence, uint32_t tokens, bool want_logits) {
    Batch batch;
    for (uint32_t i = 0; i < tokens; ++i) batch.tokens.push_back(next_token());
    BatchRow& row = batch.rows.emplace_back(sequence.next_row(tokens));
    if (want_logits) row.logit_offsets = {tokens - 1};
    if (auto logits = loaded_.model->forward(batch); !logits.ok()) fail(logits.error());
  }

  void fill(SoloSequence& sequence, uint32_t tokens) {
    for (uint32_t done = 0; done < tokens; done += kPrefillChunkTokens)
      extend(sequence, std::min(kPrefillChunkTokens, tokens - done), done + kPrefillChunkTokens >= tokens);
  }

  double prefill(uint32_t tokens) {
    SoloSequence sequence = make_sequence(tokens);
    const auto start = std::chrono::steady_clock::now();
    fill(sequence, tokens);
    return tokens / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  double decode(uint32_t depth) {
    SoloSequence sequence = make_sequence(depth + 1 + options_.decode_tokens);
    fill(sequence, depth);
    extend(sequence, 1, true);
    const auto start = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < options_.decode_tokens; ++i) extend(sequence, 1, true);
    return options_.decode_tokens / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  TokenId next_token() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<TokenId>((state_ >> 33) % loaded_.model->config().vocab_size);
  }

  LoadedModel& loaded_;
  const Options& options_;
  uint64_t state_ = 1;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (flag == "--pp")
      options.prefill_tokens = numbers(value());
    else if (flag == "--tg")
      options.decode_tokens = static_cast<uint32_t>(std::stoul(value()));
    else if (flag == "--depth")
      options.depths = numbers(value());
    else if (flag == "--repeat")
      options.repeats = std::stoi(value());
    else if (flag == "--threads")
      options.threads = static_cast<unsigned>(std::stoul(value()));
    else if (flag == "--backend")
      options.backend = value();
    else if (flag == "--precision")
      options.precision = value() == "f32" ? kernels::Precision::kF32 : kernels::Precision::kDefault;
    else if (flag == "--json")
      options.as_json = true;
    else
      options.model = flag;
  }
  return options;
}

int main_with(const Options& options) {
  if (options.model.empty()) {
    fmt::print(
        stderr,
        "usage: bench_forward MODEL [--pp 128,512] [--tg 32] [--depth 0] [--repeat 3] [--threads N] [--backend NAME]\n"
        "       [--precision default|f32] [--json]\n");
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  auto loaded = LoadedModel::load(options.model, {options.threads, options.backend, false, options.precision});
  if (!loaded.ok()) {
    fmt::print(stderr, "bench_forward: {}\n", loaded.error().message);
    return 1;
  }
  LoadedModel& model = **loaded;
  const double load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double bandwidth = read_bandwidth(*model.threads, 2ull << 30, 3);
  const double limit = bandwidth / decode_bytes(model.checkpoint);
  const auto figures = Bench(model, options).run();
  const double resident = resident_gigabytes();
  if (options.as_json) {
    std::vector<std::string> members;
    for (const Figure& f : figures)
      members.push_back(fmt::format("\"{}\":[{:.3f}]", f.name, fmt::join(f.tokens_per_second, ",")));
    fmt::print(
        "{{\"cpu\":\"{}\",\"threads\":{},\"backend\":\"{}\",\"load_s\":{:.2f},\"resident_gb\":{:.2f},\"read_gb_s\":{:."
        "2f},\"decode_limit_tok_s\":{:.2f},{}}}\n",
        cpu_name(), model.threads->num_threads(), model.model->backend().name(), load_seconds, resident,
        bandwidth / 1e9, limit, fmt::join(members, ","));
    return 0;
  }
  fmt::print("{}, {} threads, backend {}\nload {:.1f} s, resident {:.2f} GB\n", cpu_name(),
             model.threads->num_threads(), model.model->backend().name(), load_seconds, resident);
  fmt::print("memory read {:.1f} GB/s; decode reads {:.3f} GB a token: limit {:.2f} tok/s\n", bandwidth / 1e9,
             decode_bytes(model.checkpoint) / 1e9, limit);
  for (const Figure& f : figures)
    fmt::print("{:>12}  {:.2f} / {:.2f} / {:.2f} tok/s{}\n", f.name, f.tokens_per_second.front(), f.median(),
               f.tokens_per_second.back(),
               f.name.starts_with("tg") ? fmt::format("  ({:.0f} % of the limit)", 100 * f.median() / limit) : "");
  return 0;
}

}  // namespace
}  // namespace gossamer::bench

int main(int argc, char** argv) {
  return gossamer::bench::main_with(gossamer::bench::parse_options(argc, argv));
}
