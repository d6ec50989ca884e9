#include "cli/gpu_model_check.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>

#include "model/device_forward.h"
#include "model/model.h"
#include "model/solo_sequence.h"
#include "synthetic/write_model.h"

namespace gossamer::cli {
namespace {

using kernels::KvDtype;
using kernels::cuda::CheckOptions;
using kernels::cuda::CheckOutcome;

/// A folder that is gone afterwards.
class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> create() {
    std::error_code error;
    std::string path = (std::filesystem::temp_directory_path(error) / "gossamer-selftest-XXXXXX").string();
    if (error || !mkdtemp(path.data()))
      return make_error(ErrorCode::kIo, "there is no folder for a temporary model: {}", std::strerror(errno));
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(path)));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// The same weights twice: computed by the CPU with activations in float32, and on the device.
struct Twins {
  std::unique_ptr<TemporaryFolder> folder;
  std::unique_ptr<Checkpoint> checkpoint;
  std::unique_ptr<ThreadPool> threads;
  std::unique_ptr<Model> on_cpu, on_device;

  static Result<Twins> make(std::string_view preset, synthetic::ModelFormat format, const CheckOptions& options,
                            DeviceSums sums) {
    Twins twins;
    GOS_TRY(twins.folder, TemporaryFolder::create());
    synthetic::ModelRequest request;
    request.path = twins.folder->path() + (format == synthetic::ModelFormat::kGguf ? "/model.gguf" : "/model");
    request.preset = *synthetic::find_preset(preset);
    request.format = format;
    request.seed = options.seed;
    request.num_threads = options.quick ? 1 : 0;
    GOS_TRY_STATUS(written(request));
    GOS_TRY(Checkpoint checkpoint, Checkpoint::open(request.path));
    twins.checkpoint = std::make_unique<Checkpoint>(std::move(checkpoint));
    twins.threads = std::make_unique<ThreadPool>(request.num_threads);
    for (std::unique_ptr<Model>* model : {&twins.on_cpu, &twins.on_device}) {
      GOS_TRY(auto backend, kernels::make_backend("", *twins.threads, kernels::Precision::kF32));
      *model = std::make_unique<Model>(*twins.checkpoint, std::move(backend));
    }
    Model& model = *twins.on_device;
    GOS_TRY(auto device, DeviceForward::make(model.config(), model.weights(), model.rope_params(), *twins.threads, {},
                                             {.sums = sums}));
    model.compute_on(std::move(device));
    return Result<Twins>(std::move(twins));
  }

 private:
  static Status written(const synthetic::ModelRequest& request) {
    auto model = synthetic::write_model(request, {}, [] { return true; });
    return model.ok() ? Status() : Status(std::move(model).error());
  }
};

struct Computed {
  std::vector<float> logits;  // [T, V]
  ForwardTrace trace;
};
Result<Computed> compute(Model& model, KvDtype dtype, const std::vector<TokenId>& tokens) {
  GOS_TRY(SoloSequence sequence, SoloSequence::make(model, dtype, static_cast<uint32_t>(tokens.size())));
  Batch batch;
  batch.tokens = tokens;
  BatchRow& row = batch.rows.emplace_back(sequence.next_row(static_cast<uint32_t>(tokens.size())));
  row.logit_offsets.resize(tokens.size());
  std::iota(row.logit_offsets.begin(), row.logit_offsets.end(), 0u);
  Computed out;
  GOS_TRY(const std::span<const float> logits, model.forward(batch, &out.trace));
  out.logits.assign(logits.begin(), logits.end());
  return Result<Computed>(std::move(out));
}

/// Tokens that chose the same experts in every layer, in whatever order.
std::vector<uint32_t> routed_alike(const Computed& a, const Computed& b, uint32_t num_tokens, uint32_t active) {
  std::vector<uint32_t> tokens;
  for (uint32_t t = 0; t < num_tokens; ++t) {
    bool alike = true;
    for (size_t layer = 0; layer < a.trace.layers.size(); ++layer) {
      const auto chosen = [&](const Computed& of) {
        const auto begin = of.trace.layers[layer].router_indices.begin() + t * active;
        return std::multiset<uint32_t>(begin, begin + active);
      };
      alike = alike && chosen(a) == chosen(b);
    }
    if (alike) tokens.push_back(t);
  }
  return tokens;
}

/// Root of the mean square of a - b over these tokens; b may be empty.
double rms(const std::vector<float>& a, const std::vector<float>& b, const std::vector<uint32_t>& tokens,
           uint32_t vocab) {
  double sum = 0;
  for (const uint32_t t : tokens)
    for (size_t i = size_t{t} * vocab; i < size_t{t + 1} * vocab; ++i) {
      const double difference = static_cast<double>(a[i]) - (b.empty() ? 0 : b[i]);
      sum += difference * difference;
    }
  return std::sqrt(sum / (static_cast<double>(tokens.size()) * vocab));
}

std::vector<TokenId> made_up_tokens(uint32_t count, uint32_t vocab) {
  std::vector<TokenId> tokens;
  for (uint32_t i = 0; i < count; ++i) tokens.push_back(static_cast<TokenId>((i * 7919 + i * i * 31) % vocab));
  return tokens;
}

CheckOutcome failed(std::string detail) {
  return {"", false, std::move(detail), 0};
}

/// Whether the first choice is the CPU's wherever its lead is beyond doubt.
struct FirstChoices {
  uint32_t same = 0, clear = 0, wrong = 0;
};
FirstChoices compare_first_choices(const Computed& cpu, const Computed& device, const std::vector<uint32_t>& tokens,
                                   uint32_t vocab, double doubt) {
  FirstChoices out;
  for (const uint32_t t : tokens) {
    const std::span<const float> want = std::span(cpu.logits).subspan(size_t{t} * vocab, vocab);
    const std::span<const float> got = std::span(device.logits).subspan(size_t{t} * vocab, vocab);
    const auto best = std::max_element(want.begin(), want.end()) - want.begin();
    const bool same = best == std::max_element(got.begin(), got.end()) - got.begin();
    float second = -INFINITY;
    for (uint32_t i = 0; i < vocab; ++i)
      if (i != best) second = std::max(second, want[i]);
    const bool clear = want[best] - second > doubt;
    out.same += same;
    out.clear += clear;
    out.wrong += clear && !same;
  }
  return out;
}

/// How far from the CPU logits may be is measured on the CPU itself: there, a cache of `dtype` in place of one of
/// float32 rounds two numbers on the way of attention, keys and values. The device rounds six (the normed row, queries,
/// keys, values, weights, what attention gives), and the row that meets the head, by 0.0017 on average: bf16's steps
/// of 2^-7 / sqrt(12), over the numbers from 1 to 2. Independent roundings add up as squares; each may weigh twice what
/// keys and values weigh. What experts take is in half precision, an eighth of that. Tokens that another expert was
/// chosen for, of two nearly equal ones, are another sum and left out; a tenth of them is too many.
CheckOutcome against_the_cpu(Twins& twins, KvDtype dtype, bool quick) {
  const ModelConfig& config = twins.on_cpu->config();
  const uint32_t num_tokens = quick ? 70 : 200, vocab = config.vocab_size, active = config.experts_per_token;
  const auto tokens = made_up_tokens(num_tokens, vocab);
  const auto exact = compute(*twins.on_cpu, KvDtype::kF32, tokens);
  const auto rounded = compute(*twins.on_cpu, dtype, tokens), device = compute(*twins.on_device, dtype, tokens);
  for (const auto* result : {&exact, &rounded, &device})
    if (!result->ok()) return failed(result->error().message);
  const auto alike = routed_alike(*exact, *device, num_tokens, active);
  if (alike.size() < num_tokens * 9 / 10)
    return failed(
        fmt::format("{} of {} tokens met other experts than on the CPU", num_tokens - alike.size(), num_tokens));
  const double of_cache =
      rms(exact->logits, rounded->logits, routed_alike(*exact, *rounded, num_tokens, active), vocab);
  const double size = rms(exact->logits, {}, alike, vocab), head = 0.0017 * size;
  const double allowed = 2 * std::sqrt(6. / 2 * of_cache * of_cache + head * head);
  const double off = rms(exact->logits, device->logits, alike, vocab);
  // The largest of so many differences is 5 times their root mean square, and two logits may be off.
  const FirstChoices first = compare_first_choices(*exact, *device, alike, vocab, 2 * 5 * allowed);
  const std::string words = fmt::format(
      "logits of size {:.3g} are off by {:.2g} where {:.2g} is allowed (root mean squares); {} of {} first choices are "
      "the CPU's, {} of them by a clear lead; {} of {} tokens met other experts",
      size, off, allowed, first.same, alike.size(), first.clear - first.wrong, num_tokens - alike.size(), num_tokens);
  return {"", off <= allowed && first.wrong == 0, words, 0};
}

/// Sequences in one cache, each a part of the same tokens; the device computes any number of them in a batch.
struct Crowd {
  Model& model;
  uint32_t longest;
  KvMemory memory;
  std::vector<TokenId> tokens;
  std::vector<std::vector<PageId>> full, sliding;  // of each sequence

  static Result<Crowd> make(Model& model, uint32_t size, uint32_t longest) {
    const uint32_t pages = pages_of(longest);
    GOS_TRY(KvMemory memory, model.allocate_kv(KvDtype::kBf16, 2 * pages * size));
    Crowd crowd{model, longest, std::move(memory), made_up_tokens(size + longest, model.config().vocab_size), {}, {}};
    PageId next = 2 * pages * size;  // from the last page down
    for (uint32_t i = 0; i < size; ++i)
      for (auto* tables : {&crowd.full, &crowd.sliding}) {
        tables->emplace_back(pages);
        for (PageId& page : tables->back()) page = --next;
      }
    return Result<Crowd>(std::move(crowd));
  }

  /// Of sequence i, which has the tokens from i on: from 3 to the longest.
  uint32_t length_of(uint32_t i) const { return 3 + i * 17 % (longest - 2); }

  /// Tokens [begin, end) of sequence i join the batch; logits are wanted of the last.
  void join(Batch& batch, uint32_t i, uint32_t begin, uint32_t end) const {
    BatchRow& row = batch.rows.emplace_back();
    row.cache = {&memory, full[i], sliding[i]};
    row.start = begin;
    row.length = end - begin;
    row.logit_offsets = {end - begin - 1};
    batch.tokens.insert(batch.tokens.end(), tokens.begin() + i + begin, tokens.begin() + i + end);
  }
  void join_with_last_token(Batch& batch, uint32_t i) const { join(batch, i, length_of(i) - 1, length_of(i)); }
};

/// A prompt in one piece, then its last token again: alone, and in batches of every size; and a prompt in pieces.
CheckOutcome in_any_company(Twins& twins, bool quick) {
  const std::vector<uint32_t> sizes = quick ? std::vector<uint32_t>{1, 2, 9, 33}  // 33: products of many rows
                                            : std::vector<uint32_t>{1, 2, 3, 8, 9, 33, 64, 100};
  Model& model = *twins.on_device;
  const uint32_t vocab = model.config().vocab_size;
  auto crowd = Crowd::make(model, sizes.back(), quick ? 40 : 300);
  if (!crowd.ok()) return failed(crowd.error().message);
  std::vector<std::vector<float>> want;
  for (uint32_t i = 0; i < sizes.back(); ++i) {
    Batch batch;
    crowd->join(batch, i, 0, crowd->length_of(i));
    const auto logits = model.forward(batch);
    if (!logits.ok()) return failed(logits.error().message);
    want.emplace_back(logits->begin(), logits->end());
  }
  uint32_t num_compared = 0;
  const auto same = [&](std::span<const float> got, uint32_t i) {
    ++num_compared;
    return std::memcmp(got.data(), want[i].data(), vocab * sizeof(float)) == 0;
  };
  for (const uint32_t size : sizes) {
    Batch batch;
    for (uint32_t i = 0; i < size; ++i) crowd->join_with_last_token(batch, i);
    const auto logits = model.forward(batch);
    if (!logits.ok()) return failed(logits.error().message);
    for (uint32_t i = 0; i < size; ++i)
      if (!same(logits->subspan(size_t{i} * vocab, vocab), i))
        return failed(
            fmt::format("sequence {} has other bits as one of {} than where its prompt was computed alone", i, size));
  }
  // The longest in pieces of 7, beside two that are at their last token.
  uint32_t longest = 2;
  for (uint32_t i = 2; i < sizes.back(); ++i)
    if (crowd->length_of(i) > crowd->length_of(longest)) longest = i;
  for (uint32_t begin = 0, end; begin < crowd->length_of(longest); begin = end) {
    end = std::min(begin + 7, crowd->length_of(longest));
    Batch batch;
    for (uint32_t i = 0; i < 2; ++i) crowd->join_with_last_token(batch, i);
    crowd->join(batch, longest, begin, end);
    const auto logits = model.forward(batch);
    if (!logits.ok()) return failed(logits.error().message);
    if (end == crowd->length_of(longest) && !same(logits->subspan(size_t{2} * vocab, vocab), longest))
      return failed("a prompt in pieces of 7 tokens has other bits than in one");
  }
  return {"", true,
          fmt::format("{} rows of {} logits have the same bits in batches of 1 to {}, and a prompt in pieces",
                      num_compared, vocab, sizes.back()),
          0};
}

struct Kind {
  std::string name;
  std::string_view preset;
  synthetic::ModelFormat format;
};

}  // namespace

std::vector<CheckOutcome> check_models(const CheckOptions& options,
                                       const std::function<void(const CheckOutcome&)>& told, DeviceSums sums) {
  using Clock = std::chrono::steady_clock;
  std::vector<Kind> kinds = {{"tiny model, BF16 and MXFP4", "tiny", synthetic::ModelFormat::kSafetensors},
                             {"tiny model, Q8_0 and MXFP4", "tiny", synthetic::ModelFormat::kGguf}};
  if (!options.quick)
    kinds.push_back({"two layers of the published model", "small", synthetic::ModelFormat::kSafetensors});
  if (sums != DeviceSums::kPortable) {
    kinds.erase(kinds.begin(), kinds.end() - 1);
    kinds.front().name += " by warpgroups";
  }
  std::vector<CheckOutcome> outcomes;
  for (const Kind& kind : kinds) {
    std::optional<Result<Twins>> twins;  // made when the first check of them runs
    const auto run = [&](const std::string& what, const std::function<CheckOutcome(Twins&)>& check) {
      const std::string name = kind.name + ", " + what;
      if (name.find(options.only) == std::string::npos) return;
      const auto begin = Clock::now();
      if (!twins) twins.emplace(Twins::make(kind.preset, kind.format, options, sums));
      CheckOutcome& outcome = outcomes.emplace_back(twins->ok() ? check(**twins) : failed(twins->error().message));
      outcome.name = name;
      outcome.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      if (told) told(outcome);
    };
    for (const KvDtype dtype : {KvDtype::kBf16, KvDtype::kInt8})
      run(fmt::format("as on the CPU, {} cache", kv_dtype_name(dtype)),
          [&](Twins& of) { return against_the_cpu(of, dtype, options.quick); });
    if (sums != DeviceSums::kPortable) continue;
    run("the same bits in any company", [&](Twins& of) { return in_any_company(of, options.quick); });
  }
  return outcomes;
}

}  // namespace gossamer::cli
