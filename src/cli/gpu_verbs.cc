/// The verbs of `gossamer gpu`: each opens the card, adds its part to the report, and prints the whole.

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/gpu_model.h"
#include "cli/gpu_report.h"
#include "cli/gpu_roof.h"
#include "cli/gpu_selftest.h"
#include "harmony/json_text.h"
#include "model/device.h"

namespace gossamer::cli {
namespace {

/// All, or the one that was asked for.
int list_cards(std::FILE* out, const GpuOptions& options, int index) {
  const auto devices = kernels::cuda::list_devices();
  if (!devices.ok()) return fail(devices.error());
  if (index != DeviceChoice::kFirst)
    if (const auto card = GpuCard::open(index, out); !card.ok()) return fail(card.error());
  json::array cards;
  for (const kernels::cuda::DeviceInfo& info : *devices) {
    if (index != DeviceChoice::kFirst && info.index != index) continue;
    const auto card = GpuCard::open(info.index, out);
    if (!card.ok()) {
      fmt::print(out, "{}: {}, which cannot be used: {}\n", info.index, info.name, card.error().message);
      continue;
    }
    fmt::print(out, "{}\n", describe(card->info));
    cards.push_back(card->to_json());
  }
  if (options.json == "-") fmt::print("{}\n", harmony::compact_json(json::object{{"devices", std::move(cards)}}));
  return kSuccess;
}

/// What the card can do: out of the report, or measured now. Where it cannot be measured, figures go without shares of
/// it.
Result<DeviceRoof> find_roof(const GpuCard& card, GpuReport& report) {
  if (!report.content().contains("roof")) {
    Result<GpuPart> measured = gpu_roof(card.out);
    if (measured.ok()) GOS_TRY_STATUS(report.put("roof", std::move(measured->json)));
    if (!measured.ok()) fmt::print(stderr, "gossamer: {}\n", measured.error().message);
  }
  return card.roof(report.content().if_contains("roof"));
}

/// Puts the verb's part into the report. False: something in it is wrong.
Result<bool> add_part(const GpuOptions& options, const GpuCard& card, GpuReport& report) {
  if (options.verb == "selftest" || options.verb == "roof") {
    const kernels::cuda::CheckOptions checks{static_cast<uint32_t>(options.seed.value_or(1)), options.quick,
                                             options.only};
    const auto keep = [&](json::object so_far) { static_cast<void>(report.put("selftest", std::move(so_far))); };
    GOS_TRY(GpuPart part, options.verb == "roof" ? gpu_roof(card.out) : gpu_selftest(checks, card.out, keep));
    GOS_TRY_STATUS(report.put(options.verb, std::move(part.json)));
    return part.ok;
  }
  const bool is_model = options.verb == "model";
  if (is_model) GOS_TRY_STATUS(check_fits(options));  // bench makes some layers only
  GOS_TRY(const DeviceRoof roof, find_roof(card, report));
  GOS_TRY(GpuPart part, is_model ? gpu_model(options, card, roof) : gpu_bench(options, card, roof));
  const json::value* error = part.json.if_contains("error");
  if (error) fmt::print(stderr, "gossamer: {}\n", std::string_view(error->as_string()));
  GOS_TRY_STATUS(report.put(is_model ? "models" : "bench", model_name(options), std::move(part.json)));
  return part.ok;
}

}  // namespace

int run_gpu(const GpuOptions& options) {
  std::FILE* out = options.json == "-" ? stderr : stdout;
  const int index = options.device.empty() ? DeviceChoice::kFirst : DeviceChoice::parse(options.device)->index;
  if (options.verb == "info") return list_cards(out, options, index);
  const auto card = GpuCard::open(index, out);
  if (!card.ok()) return fail(card.error());
  auto report = GpuReport::open(options.json, card->to_json(), options.revision);
  if (!report.ok()) return fail(report.error());
  const Result<bool> added = add_part(options, *card, *report);
  if (!added.ok()) return fail(added.error());
  fmt::print(out, "\n");
  for (const std::string& line : table_of(report->content())) fmt::print(out, "{}\n", line);
  if (options.json == "-") fmt::print("{}\n", harmony::compact_json(report->content()));
  return *added ? kSuccess : kFailure;
}

}  // namespace gossamer::cli
