#include "load/report_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace gossamer::load {
namespace {

std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string head(const LoadSide& side) {
  const Tally& tally = side.result.tally;
  std::string text =
      fmt::format("{}  {}\n{}\n", on_one_line(side.url), on_one_line(side.plan.request.model), describe(side.plan));
  text += fmt::format("{} answered, {} failed", tally.answered, tally.failed);
  if (tally.unfinished > 0) text += fmt::format(", {} unfinished", tally.unfinished);
  if (side.result.stopped) text += "; stopped before the end";
  return text + fmt::format("; wall {:.2f} s\n", side.result.wall_seconds);
}

std::string errors(const LoadSide& side) {
  std::string text;
  for (const auto& [kind, errors] : side.result.tally.errors)
    text += fmt::format("  {:<20}{:>10}  {}\n", kind, errors.count, on_one_line(errors.example));
  return text.empty() ? "" : "errors\n" + text;
}

std::string rates(const LoadSide& side) {
  const Tally& tally = side.result.tally;
  const double seconds = std::max(side.result.wall_seconds, 1e-9);
  const auto line = [&](const char* name, uint64_t count) {
    return fmt::format("{:<24}{:>12}{:>14.2f} /s\n", name, count, static_cast<double>(count) / seconds);
  };
  std::string text = line("requests", tally.answered) + line("tokens in", tally.input_tokens) +
                     line("tokens out", tally.output_tokens);
  if (side.plan.request.stream) text += line("events with text", tally.events);
  return text;
}

std::string latencies(const LoadSide& side) {
  if (side.result.tally.answered == 0) return "";
  std::string text = fmt::format("{:<24}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "", "mean", "p50", "p90", "p99", "max");
  for (const Latency& latency : latencies_of(side.result.tally)) {
    const Distribution& ms = latency.milliseconds;
    if (ms.count() > 0)
      text += fmt::format("{:<24}{:>12.2f}{:>12.2f}{:>12.2f}{:>12.2f}{:>12.2f}  ms\n", latency.name, ms.mean(),
                          ms.quantile(0.5), ms.quantile(0.9), ms.quantile(0.99), ms.max());
  }
  return text;
}

std::string beside_each_other(const LoadSide& first, const LoadSide& second) {
  const std::vector<Figure> ours = figures_of(first.result), theirs = figures_of(second.result);
  std::string text = fmt::format("{:<32}{:>14}{:>14}{:>10}\n", "", "A", "B", "A/B");
  for (size_t i = 0; i < ours.size(); ++i) {
    const Figure &a = ours[i], &b = theirs[i];
    if (!a.known && !b.known) continue;
    const auto shown = [](const Figure& figure) { return figure.known ? fmt::format("{:.2f}", figure.value) : "-"; };
    const bool comparable = a.known && b.known && b.value > 0;
    const std::string name = a.name.ends_with(a.unit) ? a.name : fmt::format("{} ({})", a.name, a.unit);
    text += fmt::format("{:<32}{:>14}{:>14}{:>10}\n", name, shown(a), shown(b),
                        comparable ? fmt::format("{:.2f}", a.value / b.value) : "-");
  }
  return text;
}

}  // namespace

std::string report_table(const std::vector<LoadSide>& sides) {
  if (sides.size() == 2)
    return "RESULTS\nA: " + head(sides[0]) + errors(sides[0]) + "B: " + head(sides[1]) + errors(sides[1]) +
           beside_each_other(sides[0], sides[1]);
  std::string text = "RESULTS  ";
  for (const LoadSide& side : sides) text += head(side) + rates(side) + latencies(side) + errors(side);
  return text;
}

}  // namespace gossamer::load
