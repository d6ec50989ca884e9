#include "load/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "load/html_text.h"
#include "load/line_chart.h"

namespace gossamer::load {
namespace {

constexpr size_t kTimeSteps = 60;    // of the charts over time
constexpr size_t kShareSteps = 200;  // of the charts of latencies

constexpr const char* kHead =
    "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Load test</title><style>\n"
    "body{font:15px/1.5 sans-serif;max-width:800px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\n"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid "
    "#ddd;text-align:right}\n"
    "td:first-child,th:first-child{text-align:left}h1{font-size:1.4em}svg{max-width:100%;height:auto;margin:.5em 0}\n"
    "</style></head><body>\n<h1>Load test</h1>\n";

std::string letter(const std::vector<LoadSide>& sides, size_t side) {
  return sides.size() > 1 ? std::string(1, static_cast<char>('A' + side)) : "";
}

std::string section_of(const LoadSide& side, const std::string& name) {
  const Tally& tally = side.result.tally;
  std::string html =
      fmt::format("<p>{}<b>{}</b>, model <b>{}</b><br>{}<br>{} answered, {} failed, {} unfinished in {:.2f} s{}</p>\n",
                  name.empty() ? "" : name + ": ", html_text(side.url), html_text(side.plan.request.model),
                  html_text(describe(side.plan)), tally.answered, tally.failed, tally.unfinished,
                  side.result.wall_seconds, side.result.stopped ? "; stopped before the end" : "");
  if (tally.errors.empty()) return html;
  html += "<table><tr><th>error</th><th>times</th><th>the first said</th></tr>\n";
  for (const auto& [kind, errors] : tally.errors)
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", html_text(kind), errors.count,
                        html_text(errors.example));
  return html + "</table>\n";
}

std::string figures_table(const std::vector<LoadSide>& sides) {
  std::vector<std::vector<Figure>> columns;
  std::string html = "<table><tr><th></th>";
  for (size_t i = 0; i < sides.size(); ++i) {
    columns.push_back(figures_of(sides[i].result));
    html += fmt::format("<th>{}</th>", letter(sides, i));
  }
  html += sides.size() == 2 ? "<th>A/B</th></tr>\n" : "</tr>\n";
  for (size_t row = 0; row < columns[0].size(); ++row) {
    if (std::none_of(columns.begin(), columns.end(), [&](const auto& column) { return column[row].known; })) continue;
    html += fmt::format("<tr><td>{}</td>", html_text(columns[0][row].name));
    for (const auto& column : columns)
      html += column[row].known ? fmt::format("<td>{:.2f} {}</td>", column[row].value, html_text(column[row].unit))
                                : "<td>-</td>";
    if (columns.size() == 2) {
      const Figure &a = columns[0][row], &b = columns[1][row];
      html += a.known && b.known && b.value > 0 ? fmt::format("<td>{:.2f}</td>", a.value / b.value) : "<td>-</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

/// The share of all values that a latency is within.
ChartLine shares_line(std::string name, const Distribution& values) {
  ChartLine line{std::move(name), {}};
  if (values.count() == 0) return line;
  for (size_t i = 0; i <= kShareSteps; ++i) {
    const double share = static_cast<double>(i) / kShareSteps;
    line.points.emplace_back(values.quantile(share), 100 * share);
  }
  return line;
}

/// Spreads `amount` evenly over the time from `begin` to `end`.
void spread(std::vector<double>& steps, double step_seconds, double begin, double end, double amount) {
  const auto step_of = [&](double at) {
    return std::clamp(static_cast<size_t>(std::max(at, 0.0) / step_seconds), size_t{0}, steps.size() - 1);
  };
  const size_t first = step_of(begin), last = step_of(end);
  for (size_t i = first; i <= last; ++i) {
    const double from = std::max(begin, static_cast<double>(i) * step_seconds);
    const double to = std::min(end, static_cast<double>(i + 1) * step_seconds);
    steps[i] += first == last || end <= begin ? amount / static_cast<double>(last - first + 1)
                                              : amount * std::max(to - from, 0.0) / (end - begin);
  }
}

ChartLine rate_line(std::string name, const std::vector<double>& steps, double step_seconds) {
  ChartLine line{std::move(name), {}};
  for (size_t i = 0; i < steps.size(); ++i)
    line.points.emplace_back((static_cast<double>(i) + 0.5) * step_seconds, steps[i] / step_seconds);
  return line;
}

struct OverTime {
  double step_seconds = 0;
  std::vector<double> tokens = std::vector<double>(kTimeSteps), answered = tokens, failed = tokens;

  explicit OverTime(const LoadResult& result) : step_seconds(std::max(result.wall_seconds, 1e-6) / kTimeSteps) {
    for (const RequestRecord& record : result.records) {
      const double end = record.begin_seconds + record.latency_ms / 1e3;
      const double first = std::isnan(record.ttft_ms) ? end : record.begin_seconds + record.ttft_ms / 1e3;
      spread(tokens, step_seconds, first, end, static_cast<double>(record.output_tokens));
      if (record.outcome == RequestRecord::Outcome::kAnswered) spread(answered, step_seconds, end, end, 1);
      if (record.outcome == RequestRecord::Outcome::kFailed) spread(failed, step_seconds, end, end, 1);
    }
  }
};

std::string charts(const std::vector<LoadSide>& sides) {
  LineChart latency{"Latency", "ms", "% of requests within", true, {}};
  LineChart gaps{"Between tokens", "ms", "% of gaps within", true, {}};
  LineChart tokens{"Tokens out", "s", "a second", false, {}};
  LineChart requests{"Requests that ended", "s", "a second", false, {}};
  for (size_t i = 0; i < sides.size(); ++i) {
    const LoadResult& result = sides[i].result;
    const std::string name = sides.size() > 1 ? letter(sides, i) + " " : "";
    latency.lines.push_back(shares_line(name + "whole answer", result.tally.latency_ms));
    latency.lines.push_back(shares_line(name + "first token", result.tally.ttft_ms));
    gaps.lines.push_back(shares_line(name + "between tokens", result.tally.itl_ms));
    const OverTime over_time(result);
    tokens.lines.push_back(rate_line(name + "tokens", over_time.tokens, over_time.step_seconds));
    requests.lines.push_back(rate_line(name + "answered", over_time.answered, over_time.step_seconds));
    if (result.tally.failed > 0)
      requests.lines.push_back(rate_line(name + "failed", over_time.failed, over_time.step_seconds));
  }
  return draw_lines(latency) + draw_lines(gaps) + draw_lines(tokens) + draw_lines(requests);
}

}  // namespace

std::string report_html(const std::vector<LoadSide>& sides) {
  std::string html = kHead;
  for (size_t i = 0; i < sides.size(); ++i) html += section_of(sides[i], letter(sides, i));
  return html + figures_table(sides) + charts(sides) + "</body></html>\n";
}

}  // namespace gossamer::load
