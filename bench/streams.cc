/// What a long prompt does to those who stream: the time between tokens of some answers, alone and while a prompt is
/// read.
///
///   bench_streams MODEL [--streams 8] [--prompt 100000] [--seconds 20] [--kv-memory-gb 4] [--json]
///
/// Quiet: the streams alone for `seconds` before and `seconds` after, since they get longer meanwhile. Crowded: the
/// same streams while the prompt is computed, to its first token.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "engine/event_queue.h"
#include "engine/throughput.h"

namespace gossamer::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  uint32_t streams = 8, prompt_tokens = 100'000;
  double seconds = 20, kv_gigabytes = 4;
  bool as_json = false;
};

[[noreturn]] void fail(const std::string& sentence) {
  fmt::print(stderr, "bench_streams: {}\n", sentence);
  std::exit(1);
}

class Streams {
 public:
  Streams(Engine& engine, const Options& options, uint32_t vocab_size) : engine_(engine), vocab_size_(vocab_size) {
    for (uint32_t i = 0; i < options.streams; ++i) streams_[submit(50, 0)];
  }

  /// Reads events until `until()`; gaps between tokens of the streams, in ms.
  template <class Until>
  std::vector<double> gaps(Until until) {
    std::vector<double> ms;
    while (!until()) {
      const EngineEvent event = events_.next();
      const auto stream = streams_.find(event.id);
      if (stream == streams_.end()) {
        prompt_read_ |= event.kind == EngineEvent::Kind::kToken;
        continue;
      }
      if (event.kind == EngineEvent::Kind::kEnd)
        fail("a stream came to its end; ask for fewer seconds: " + event.error);
      if (event.kind != EngineEvent::Kind::kToken) continue;
      const Clock::time_point now = Clock::now();
      if (stream->second != Clock::time_point())
        ms.push_back(std::chrono::duration<double, std::milli>(now - stream->second).count());
      stream->second = now;
    }
    return ms;
  }

  SequenceId submit(uint32_t prompt_tokens, uint32_t max_tokens) {
    EngineRequest request;
    for (uint32_t i = 0; i < prompt_tokens; ++i) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
      request.prompt.push_back(static_cast<TokenId>((state_ >> 33) % (vocab_size_ - vocab_size_ / 50)));
    }
    request.max_tokens = max_tokens;
    const auto id = engine_.submit(std::move(request), events_.sink());
    if (!id.ok()) fail(id.error().message);
    return *id;
  }

  bool prompt_read() const { return prompt_read_; }

 private:
  Engine& engine_;
  uint32_t vocab_size_;
  EventQueue events_;
  std::unordered_map<SequenceId, Clock::time_point> streams_;  // the last token of each
  bool prompt_read_ = false;
  uint64_t state_ = 1;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::atof(argv[++i]) : 0; };
    if (flag == "--streams")
      options.streams = static_cast<uint32_t>(number());
    else if (flag == "--prompt")
      options.prompt_tokens = static_cast<uint32_t>(number());
    else if (flag == "--seconds")
      options.seconds = number();
    else if (flag == "--kv-memory-gb")
      options.kv_gigabytes = number();
    else if (flag == "--json")
      options.as_json = true;
    else
      options.model = flag;
  }
  if (options.model.empty()) fail("name a model's folder or file");
  return options;
}

int run(const Options& options) {
  auto loaded = LoadedModel::load(options.model, {.num_threads = 0, .backend = "", .need_tokenizer = false});
  if (!loaded.ok()) fail(loaded.error().message);
  EngineOptions engine_options;
  engine_options.kv_bytes = static_cast<uint64_t>(options.kv_gigabytes * 1e9);
  auto engine = Engine::start(**loaded, engine_options);
  if (!engine.ok()) fail(engine.error().message);

  Streams streams(**engine, options, (*loaded)->model->config().vocab_size);
  const auto after = [](double seconds) {
    return [end = Clock::now() + std::chrono::duration<double>(seconds)] { return Clock::now() >= end; };
  };
  streams.gaps(after(options.seconds / 4));  // warm-up
  std::vector<double> quiet_gaps = streams.gaps(after(options.seconds));
  const Clock::time_point begin = Clock::now();
  streams.submit(options.prompt_tokens, 1);
  const Percentiles crowded = percentiles(streams.gaps([&] { return streams.prompt_read(); }));
  const double ttft = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::vector<double> later_gaps = streams.gaps(after(options.seconds));
  quiet_gaps.insert(quiet_gaps.end(), later_gaps.begin(), later_gaps.end());
  const Percentiles quiet = percentiles(quiet_gaps);
  if (options.as_json)
    fmt::print(
        "{{\"quiet_p50_ms\":{:.3f},\"quiet_p99_ms\":{:.3f},\"crowded_p50_ms\":{:.3f},\"crowded_p99_ms\":{:.3f},\"ttft_"
        "s\":{:.1f}}}\n",
        quiet.p50, quiet.p99, crowded.p50, crowded.p99, ttft);
  else
    fmt::print(
        "between tokens of {} streams, ms    p50 {:>8.2f} p99 {:>8.2f}  alone\n{:<37} p50 {:>8.2f} p99 {:>8.2f}  "
        "beside a prompt of {} tokens "
        "(first token after {:.1f} s)\np99 {:.2f} times\n",
        options.streams, quiet.p50, quiet.p99, "", crowded.p50, crowded.p99, options.prompt_tokens, ttft,
        crowded.p99 / quiet.p99);
  return 0;
}

}  // namespace
}  // namespace gossamer::bench

int main(int argc, char** argv) {
  return gossamer::bench::run(gossamer::bench::parse_options(argc, argv));
}
