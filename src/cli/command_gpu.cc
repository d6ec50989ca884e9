#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/count_list.h"
#include "cli/failure.h"
#include "cli/gpu_options.h"
#include "cli/suggest.h"
#include "model/device.h"
#include "synthetic/preset.h"

namespace gossamer::cli {
namespace {

/// Something that can be done with a GPU.
struct Verb {
  std::string_view name;
  std::vector<std::string_view> options;  ///< that belong to it, besides --device, --json and --revision
};

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"info", {}},
      {"selftest", {"--quick", "--only", "--seed"}},
      {"roof", {}},
      {"model",
       {"--synthetic", "--router", "--dense", "--kv-dtype", "--batch", "--context", "--prefill", "--chunk",
        "--gpu-sums", "--seconds", "--seed"}},
      {"bench", {"--synthetic", "--dense", "--kv-dtype", "--rows", "--depth", "--only", "--seconds", "--seed"}}};
  return all;
}

bool takes(const Verb& verb, std::string_view option) {
  if (option == "--device" || option == "--json" || option == "--revision") return true;
  return std::find(verb.options.begin(), verb.options.end(), option) != verb.options.end();
}

/// "gpu model and gpu bench": those that have `option`.
std::string owners_of(std::string_view option) {
  std::string owners;
  for (const Verb& verb : verbs())
    if (takes(verb, option)) owners += fmt::format("{}gpu {}", owners.empty() ? "" : " and ", verb.name);
  return owners;
}

/// Errors: a list that is none, a number that nothing can be made of. Without a GPU too: it is looked for afterwards.
Status check(const GpuOptions& options) {
  for (const auto& [option, text, least] :
       {std::tuple{"--batch", &options.batches, 1u}, std::tuple{"--context", &options.contexts, 0u},
        std::tuple{"--prefill", &options.prefills, 1u}, std::tuple{"--rows", &options.rows, 1u}}) {
    const auto counts = parse_counts(option, *text, least);
    if (!counts.ok()) return counts.error();
  }
  if (!options.device.empty()) {
    const auto device = DeviceChoice::parse(options.device);
    if (!device.ok() || device->kind != DeviceChoice::Kind::kCuda)
      return make_error(ErrorCode::kInvalidInput, "--device is \"{}\"; it is the number of a GPU (1, or cuda:1)",
                        options.device);
  }
  if (options.verb == "info" && !options.json.empty() && options.json != "-")
    return make_error(ErrorCode::kInvalidInput,
                      "gpu info measures nothing that belongs into a report; --json - prints the GPUs as JSON");
  if (options.chunk_tokens == 0)
    return make_error(ErrorCode::kInvalidInput, "--chunk is 0, but a chunk of a prompt has one token at least");
  return {};
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const synthetic::Preset& preset : synthetic::presets()) names.emplace_back(preset.name);
  return names;
}

/// "gossamer gpu bench" where somebody wrote bensh; empty where nothing is near.
std::string meant_verb(const std::string& word) {
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  const std::string near = suggest(word, names);
  return near.empty() ? "" : "gossamer gpu " + near;
}

int gpu(GpuOptions options, const std::vector<std::string>& words, const std::vector<std::string>& given) {
  if (!words.empty()) options.verb = words.front();
  const auto verb = std::ranges::find(verbs(), options.verb, &Verb::name);
  if (verb == verbs().end())
    return fail_usage("gpu", fmt::format("there is no '{}'; info, selftest, roof, model or bench?", options.verb),
                      meant_verb(options.verb));
  if (words.size() > 1) {  // gpu model 20b
    const std::vector<std::string> presets = preset_names();
    if (!takes(*verb, "--synthetic") || std::find(presets.begin(), presets.end(), words[1]) == presets.end())
      return fail_usage("gpu", fmt::format("gpu {} takes no '{}'.", verb->name, words[1]),
                        "gossamer gpu model --synthetic 20b");
    options.preset = words[1];
  }
  for (const std::string& option : given)
    if (!takes(*verb, option))
      return fail_usage(
          "gpu", fmt::format("gpu {} has no option {}; it belongs to {}.", verb->name, option, owners_of(option)));
  if (const Status checked = check(options); !checked.ok()) return fail(checked.error());
  return run_gpu(options);
}

}  // namespace

Command gpu_command() {
  return {
      "gpu", "Check and measure an NVIDIA GPU",
      "  gossamer gpu                              lists the GPUs, and what of gpt-oss fits\n"
      "  gossamer gpu selftest                     every kernel against sums in double on the host\n"
      "  gossamer gpu roof --json gpu.json         what this card's memory and tensor cores do at best\n"
      "  gossamer gpu model --synthetic 120b       decode and prompts of a model of full size, made on the GPU\n"
      "  gossamer gpu bench --only qkv --rows 1,8  each kernel alone at the model's shapes\n"
      "With the same --json FILE each adds its part to one report (bench/gpu/README.md).",
      [](Options& options) {
        auto chosen = std::make_shared<GpuOptions>();
        auto words = std::make_shared<std::vector<std::string>>();
        options.words(
            "verb", *words, 2,
            "info (the default), selftest (is every kernel right?), roof (what could the card do?), model (how "
            "fast is a model of full size?) or bench (how fast is each kernel?)");
        options.text("--device", chosen->device,
                     "Which GPU, as the driver counts from 0 (default: the first that can be used)", "N");
        options.text("--json", chosen->json,
                     "Put what was found into this report; - is standard output, and everything else goes to stderr",
                     "FILE");
        options.text("--revision", chosen->revision, "For the report: which source this program was built from",
                     "TEXT");
        options.choice("--synthetic", chosen->preset, preset_names(),
                       "model, bench: random weights in the shapes of gpt-oss-20b or -120b; small and tiny for tests");
        options.choice("--router", chosen->router, {"uniform", "zipf"},
                       "model: tokens choose all experts equally often, or a few of them most of the time");
        options.choice("--dense", chosen->dense, {"bf16", "q8_0"},
                       "model, bench: how weights of attention and head are kept");
        options.choice("--kv-dtype", chosen->kv_dtype, {"bf16", "int8"}, "model, bench: how keys and values are kept");
        options.text("--batch", chosen->batches, "model: sequences that go on together", "LIST");
        options.text("--context", chosen->contexts, "model: tokens before the one that is computed", "LIST");
        options.text("--prefill", chosen->prefills, "model: tokens of a prompt", "LIST");
        options.count("--chunk", chosen->chunk_tokens, "model: tokens of a prompt that are computed at a time");
        options.choice("--gpu-sums", chosen->sums, {"auto", "portable", "hopper", "one-run"},
                       "model: how products are added up, as for gossamer serve");
        options.text("--rows", chosen->rows, "bench: tokens of a step", "LIST");
        options.count("--depth", chosen->depth, "bench: positions that attention looks at");
        options.text("--only", chosen->only, "bench, selftest: kernels whose name contains this", "NAME");
        options.flag("--quick", chosen->quick, "selftest: fewer shapes");
        options.integer("--seconds", chosen->seconds,
                        "model, bench: figures that would begin later are left out (default: 300, 120)");
        options.integer("--seed", chosen->seed, "Of all random numbers (default: 1)");
        return [chosen, words, &options] { return gpu(*chosen, *words, options.given()); };
      }};
}

}  // namespace gossamer::cli
