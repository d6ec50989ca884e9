#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/load_options.h"
#include "cli/load_progress.h"
#include "cli/output.h"
#include "cli/terminal_text.h"
#include "harmony/json_text.h"
#include "http/http_client.h"
#include "load/comparison.h"
#include "load/model_list.h"
#include "load/report_csv.h"
#include "load/report_html.h"
#include "load/report_json.h"
#include "load/report_table.h"

namespace gossamer::cli {
namespace {

/// The servers, with a client for each.
struct Test {
  std::vector<load::LoadSide> sides;
  std::vector<std::unique_ptr<http::HttpClient>> clients;
};

Status add_side(Test& test, const LoadOptions& options, const std::string& url, const std::string& model) {
  load::LoadSide side;
  side.url = url;
  GOS_TRY(side.plan, options.plan());
  http::ClientOptions client_options;
  client_options.threads = options.threads;
  client_options.verify_tls = !options.any_certificate;
  GOS_TRY(std::unique_ptr<http::HttpClient> client, http::HttpClient::create(url, client_options));
  side.plan.request.model = model;
  if (model.empty()) {
    GOS_TRY(side.plan.request.model, load::first_model(*client, options.key()));
  }
  test.sides.push_back(std::move(side));
  test.clients.push_back(std::move(client));
  return {};
}

/// A few requests whose answers must come: what does not work at all is told at once, and connections and caches are
/// there when the clock begins.
Status warm_up(const load::LoadSide& side, http::HttpClient& client, uint32_t requests) {
  if (requests == 0) return {};
  load::LoadPlan plan = side.plan;
  plan.pace = {};
  plan.pace.requests = requests;
  plan.pace.concurrency = 1;
  const load::LoadResult result =
      load::run_load(client, plan, [](const load::LoadProgress&) { return !InterruptGuard::requested(); });
  if (result.stopped || result.tally.failed == 0) return {};
  const auto& [kind, errors] = *result.tally.errors.begin();
  return make_error(ErrorCode::kIo, "{} does not answer: {}: {}", side.url, kind, errors.example);
}

Status write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) return make_error(ErrorCode::kIo, "cannot write {}", path);
  return {};
}

void measure(Test& test, const LoadOptions& options) {
  std::vector<http::HttpClient*> clients;
  for (const auto& client : test.clients) clients.push_back(client.get());
  const uint32_t rounds = test.sides.size() == 1 ? 1 : std::max(1u, options.rounds);
  LoadProgressLine line;
  load::run_sides(test.sides, clients, rounds, [&](size_t side, uint32_t round, const load::LoadProgress& progress) {
    line.update(rounds == 1 ? "" : fmt::format("{} {}/{}", static_cast<char>('A' + side), round + 1, rounds), progress);
    return !InterruptGuard::requested();
  });
}

Status run(const LoadOptions& options, Test& test, Output& out) {
  GOS_TRY_STATUS(add_side(test, options, options.words.empty() ? options.url : options.words[0], options.model));
  if (!options.compare_url.empty())
    GOS_TRY_STATUS(add_side(test, options, options.compare_url,
                            options.compare_model.empty() ? options.model : options.compare_model));
  for (size_t i = 0; i < test.sides.size(); ++i)
    GOS_TRY_STATUS(warm_up(test.sides[i], *test.clients[i], options.warmup));
  measure(test, options);
  if (options.json)
    out.line(harmony::compact_json(load::report_json(test.sides)));
  else
    out.write(printable(load::report_table(test.sides)));
  GOS_TRY_STATUS(write_file(options.csv, options.csv.empty() ? "" : load::report_csv(test.sides)));
  return write_file(options.html, options.html.empty() ? "" : load::report_html(test.sides));
}

int bench_serve(const LoadOptions& options) {
  InterruptGuard interrupt;
  Test test;
  Output out;
  const Status done = run(options, test, out);
  const bool stopped = InterruptGuard::requested();
  if (!done.ok()) return fail(done.error());
  const int code = out.close();
  if (stopped) return kInterrupted;
  for (const load::LoadSide& side : test.sides)
    if (side.result.tally.answered == 0) return kFailure;
  return code;
}

}  // namespace

Command bench_serve_command() {
  return {"bench-serve", "Measure a server under load: any that speaks OpenAI's API",
          "  gossamer bench serve\n"
          "  gossamer bench serve http://127.0.0.1:8000 --concurrency 256 --requests 2000 --max-tokens 256\n"
          "  gossamer bench serve --rate 4 --duration 60 --prompts prompts.jsonl --html report.html\n"
          "  gossamer bench serve --base-url http://127.0.0.1:8000 --compare http://127.0.0.1:8080 --json",
          [](Options& options) {
            auto chosen = std::make_shared<LoadOptions>();
            chosen->declare(options);
            return [chosen] { return bench_serve(*chosen); };
          },
          check_load_arguments};
}

}  // namespace gossamer::cli
