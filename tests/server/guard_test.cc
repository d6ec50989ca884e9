/// Keys, CORS, request ids, draining, limits: what happens before and around a handler.

#include "server/guard.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <regex>
#include <set>

#include "base/mmap_file.h"
#include "server/access_record.h"
#include "server/answer_tally.h"
#include "server/metrics.h"
#include "server/test_app.h"

namespace gossamer::server {
namespace {

constexpr char kHi[] = "<|channel|>final<|message|>Hi<|return|>";
constexpr char kBody[] = R"({"messages": [{"role": "user", "content": "x"}]})";

std::string header(const FakeExchange& exchange, std::string_view name) {
  const std::string* value = exchange.response().headers.find(name);
  return value ? *value : "";
}

std::string hex(const Sha256& hash) {
  std::string text;
  for (const uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

TEST(Keys, AreAskedForEverywhereButAtHealth) {
  AppOptions options;
  options.api_keys = {"secret"};
  TestApp app({kHi}, options);
  for (const char* path : {"/v1/models", "/metrics", "/version", "/v1/nothing", "/api/tags"}) {
    const auto refused = app.ask("GET", path);
    EXPECT_EQ(refused->response().status, 401u) << path;
    EXPECT_EQ(header(*refused, "WWW-Authenticate"), "Bearer");
    EXPECT_NE(refused->response().body.find("API key"), std::string::npos);
  }
  for (const char* path : {"/health", "/livez", "/readyz"})
    EXPECT_EQ(app.ask("GET", path)->response().status, 200u) << path;
  EXPECT_EQ(app.ask("GET", "/v1/models", "", {{"Authorization", "Bearer secret"}})->response().status, 200u);
  EXPECT_EQ(app.ask("GET", "/v1/models", "", {{"authorization", "bearer secret"}})->response().status, 200u);
  EXPECT_EQ(app.ask("GET", "/v1/models", "", {{"X-Api-Key", "secret"}})->response().status, 200u);
  for (const char* wrong : {"Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret"})
    EXPECT_EQ(app.ask("GET", "/v1/models", "", {{"Authorization", wrong}})->response().status, 401u) << wrong;
}

TEST(Keys, OfAFileAreReadAgain) {
  const std::string path = testing::TempDir() + "/keys.txt";
  std::ofstream(path) << "# who\n" << hex(sha256("one")) << " first\n\n";
  Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::load({}, path);
  ASSERT_TRUE(keys.ok());
  EXPECT_FALSE((*keys)->open());
  EXPECT_TRUE((*keys)->tenant_of("one"));
  EXPECT_FALSE((*keys)->tenant_of("two"));
  std::ofstream(path) << hex(sha256("two")) << "\n";
  ASSERT_TRUE((*keys)->reload().ok());
  EXPECT_FALSE((*keys)->tenant_of("one"));
  EXPECT_TRUE((*keys)->tenant_of("two"));
  std::ofstream(path) << "password\n";
  const Status broken = (*keys)->reload();
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().message.find("password"), std::string::npos);
  EXPECT_TRUE((*keys)->tenant_of("two"));
  std::remove(path.c_str());
}

TEST(Keys, SeparateTenants) {
  Result<std::unique_ptr<ApiKeys>> keys = ApiKeys::load({"a", "b"}, "");
  ASSERT_TRUE(keys.ok());
  EXPECT_NE((*keys)->tenant_of("a"), (*keys)->tenant_of("b"));
}

TEST(Cors, IsClosedByDefault) {
  TestApp app({kHi});
  const auto answer = app.ask("GET", "/v1/models", "", {{"Origin", "https://evil.example"}});
  EXPECT_EQ(header(*answer, "Access-Control-Allow-Origin"), "");
}

TEST(Cors, LetsAPageInWithItsHeadersAndTellsItErrorsToo) {
  AppOptions options;
  options.cors_origins = {"https://chat.example"};
  options.api_keys = {"secret"};
  TestApp app({kHi}, options);
  const auto preflight = app.ask("OPTIONS", "/v1/chat/completions", "",
                                 {{"Origin", "https://chat.example"},
                                  {"Access-Control-Request-Method", "POST"},
                                  {"Access-Control-Request-Headers", "authorization,x-stainless-os"}});
  EXPECT_EQ(preflight->response().status, 204u);
  EXPECT_EQ(header(*preflight, "Access-Control-Allow-Origin"), "https://chat.example");
  EXPECT_EQ(header(*preflight, "Access-Control-Allow-Headers"), "authorization,x-stainless-os");
  EXPECT_NE(header(*preflight, "Access-Control-Allow-Methods").find("POST"), std::string::npos);
  const auto refused = app.ask("POST", "/v1/chat/completions", kBody, {{"Origin", "https://chat.example"}});
  EXPECT_EQ(refused->response().status, 401u);
  EXPECT_EQ(header(*refused, "Access-Control-Allow-Origin"), "https://chat.example");
  const auto stranger = app.ask("POST", "/v1/chat/completions", kBody, {{"Origin", "https://evil.example"}});
  EXPECT_EQ(header(*stranger, "Access-Control-Allow-Origin"), "");
}

TEST(Cors, OriginsThatNoBrowserSendsAreRefused) {
  const auto error_of = [](const std::string& origin) {
    const Result<std::unique_ptr<Guard>> guard = Guard::create({}, "", {origin});
    return guard.ok() ? "" : guard.error().message;
  };
  for (const char* origin : {"*", "null", "https://chat.example", "http://localhost:3000", "http://[::1]:8080",
                             "chrome-extension://abc", "tauri://localhost"})
    EXPECT_EQ(error_of(origin), "") << origin;
  for (const char* origin : {"foo", "", "chat.example", "https://", "://chat.example", "https://chat.example/",
                             "https://Chat.example", "https://chat.example:443", "https://*.example", "a b://c"})
    EXPECT_NE(error_of(origin).find("--cors " + std::string(origin)), std::string::npos) << origin;
}

TEST(RequestId, IsTheClientsWhereItCanBe) {
  TestApp app({kHi});
  EXPECT_EQ(header(*app.ask("GET", "/livez", "", {{"X-Request-Id", "abc-1"}}), "x-request-id"), "abc-1");
  for (const char* odd : {"a b", "", "x\x01y"}) {
    const std::string id = header(*app.ask("GET", "/livez", "", {{"x-request-id", odd}}), "x-request-id");
    EXPECT_TRUE(id.starts_with("req_")) << id;
  }
}

TEST(Routes, HeadGoesWhereGetGoesAndOthersAreToldWhatIsAllowed) {
  TestApp app({kHi});
  EXPECT_EQ(app.ask("HEAD", "/v1/models")->response().status, 200u);
  const auto wrong = app.ask("DELETE", "/v1/models");
  EXPECT_EQ(wrong->response().status, 405u);
  EXPECT_EQ(header(*wrong, "Allow"), "GET, HEAD, OPTIONS");
}

TEST(Loading, IsToldWithHowFarItIs) {
  TestApp app({});
  app.app().set_loading(0.42);
  const auto health = app.ask("GET", "/health");
  EXPECT_EQ(health->response().status, 503u);
  EXPECT_NE(health->response().body.find("\"percent\":42"), std::string::npos) << health->response().body;
  EXPECT_EQ(app.ask("GET", "/livez")->response().status, 200u);
  app.app().set_loading(1);  // what comes behind the weights takes a moment, too
  EXPECT_NE(app.ask("GET", "/health")->response().body.find("\"percent\":99}"), std::string::npos);
  const auto chat = app.ask("POST", "/v1/chat/completions", kBody);
  EXPECT_EQ(chat->response().status, 503u);
  EXPECT_EQ(header(*chat, "Retry-After"), "2");
  EXPECT_EQ(app.ask("GET", "/metrics")->response().status, 200u);
}

TEST(Draining, RefusesNewWorkAndTellsReadiness) {
  TestApp app({kHi});
  app.app().start_draining();
  const auto ready = app.ask("GET", "/readyz");
  EXPECT_EQ(ready->response().status, 503u);
  EXPECT_NE(header(*ready, "Retry-After"), "");
  EXPECT_EQ(app.ask("GET", "/livez")->response().status, 200u);
  const auto refused = app.ask("POST", "/v1/chat/completions", kBody);
  EXPECT_EQ(refused->response().status, 503u);
  EXPECT_NE(header(*refused, "Retry-After"), "");
}

TEST(Deadline, OfAHeaderEndsAnswersAsTimeoutMsDoes) {
  Script script;
  script.seconds_per_token = 0.005;
  std::string endless = "<|channel|>final<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, script);
  const http::Headers deadline{{"X-Request-Deadline", "60"}};
  for (const auto& [path, body] :
       {std::pair("/v1/chat/completions", kBody),
        std::pair("/v1/chat/completions",
                  R"({"timeout_ms": 1000000000, "messages": [{"role": "user", "content": "x"}]})"),
        std::pair("/v1/completions", R"({"prompt": "x", "max_tokens": 90000})")}) {
    const auto answer = app.ask("POST", path, body, deadline);
    EXPECT_EQ(answer->response().status, 200u);
    EXPECT_NE(answer->response().body.find("\"finish_reason\":\"length\""), std::string::npos) << body;
  }
  for (const char* odd : {"soon", "", "0", "-5", "1.5", "60 ms", "99999999999999999999"}) {
    const auto refused = app.ask("POST", "/v1/chat/completions", kBody, {{"x-request-deadline", odd}});
    EXPECT_EQ(refused->response().status, 400u) << odd;
    EXPECT_NE(refused->response().body.find("\"param\":\"x-request-deadline\""), std::string::npos) << odd;
  }
}

TEST(PrefixCache, IsForgottenByAnyOfItsNames) {
  TestApp app({kHi});
  for (const auto& [method, path] :
       {std::pair("POST", "/reset_prefix_cache"), std::pair("POST", "/flush_cache"), std::pair("GET", "/flush_cache")})
    EXPECT_EQ(app.ask(method, path)->response().status, 200u) << method << path;
}

TEST(Line, IsBounded) {
  Script script;
  script.max_waiting = 0;
  TestApp app({kHi}, {}, script);
  const auto refused = app.ask("POST", "/v1/chat/completions", kBody);
  EXPECT_EQ(refused->response().status, 429u);
  EXPECT_NE(header(*refused, "Retry-After"), "");
  EXPECT_NE(refused->response().body.find("rate_limit_exceeded"), std::string::npos);
}

TEST(Context, TooLongIsToldWithBothNumbers) {
  Script script;
  script.max_sequence_tokens = 20;
  TestApp app({kHi}, {}, script);
  const json::value answer = app.ask_json("/v1/chat/completions", kBody);
  const json::object& error = answer.at("error").as_object();
  EXPECT_EQ(error.at("code"), "context_length_exceeded");
  EXPECT_EQ(error.at("param"), "messages");
  const std::string message(error.at("message").as_string());
  EXPECT_TRUE(
      std::regex_search(message, std::regex("maximum context length is 20 tokens: the prompt has [0-9]+ tokens")))
      << message;
}

TEST(Bodies, AreRefusedWhereTheyAreNoJson) {
  TestApp app({kHi});
  std::string deep(100'000, '[');
  for (const std::string& body : {std::string(), std::string("{"), std::string("{\"a\": \"\xff\"}"), deep,
                                  "{\"messages\": " + deep, std::string("\0\0", 2)})
    EXPECT_EQ(app.ask("POST", "/v1/chat/completions", body)->response().status, 400u);
}

TEST(AccessLog, HasCountsAndNoText) {
  std::mutex mutex;  // one line comes from this thread, the other from the engine's
  std::vector<std::string> lines;
  AppOptions options;
  options.access_log = [&](const AccessRecord& record) {
    const std::lock_guard lock(mutex);
    lines.push_back(access_line_json(record));
    lines.push_back(access_line_text(record));
  };
  {
    TestApp app({kHi}, options);
    (void)app.ask("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "TOPSECRET"}]})",
                  {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
    (void)app.ask("GET", "/v1/\x1b[31m\n{\"x\":1}");
  }  // an answer's line is written behind it: the end of the server waits for the last one
  ASSERT_EQ(lines.size(), 4u);
  const bool chat_came_first = lines[0].find("/v1/chat/completions") != std::string::npos;
  const Result<json::value> first = parse_json(lines[chat_came_first ? 0 : 2], "the line");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->at("completion_tokens"), 5);
  EXPECT_EQ(first->at("status"), 200);
  EXPECT_EQ(first->at("finish_reason"), "stop");
  EXPECT_EQ(first->at("trace_id"), "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const std::string& line : lines) {
    EXPECT_EQ(line.find("TOPSECRET"), std::string::npos);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
}

TEST(AccessLog, WritesSecondsAsPeopleDo) {
  AccessRecord record;
  record.seconds = 0.0000283;
  record.completion_tokens = 1;
  record.first_token_seconds = 1.5;
  const std::string line = access_line_json(record);
  EXPECT_NE(line.find("\"seconds\":0.000028,"), std::string::npos) << line;
  EXPECT_NE(line.find("\"ttft_seconds\":1.500000,"), std::string::npos) << line;
  EXPECT_TRUE(parse_json(line, "the line").ok()) << line;
}

TEST(AccessLog, SaysWhyAnAnswerFailed) {
  AnswerTally tally(1);
  AnswerEvent end;
  end.finish = AnswerEvent::Finish::kError;
  end.error = "page 17\nis missing";
  tally.add(end);
  AccessRecord record;
  tally.fill(record);
  EXPECT_NE(access_line_text(record).find("failed: page 17?is missing"), std::string::npos);
  EXPECT_EQ(parse_json(access_line_json(record), "the line")->at("error"), "page 17?is missing");
}

TEST(AccessLog, TakesNoTraceThatIsNone) {
  EXPECT_EQ(trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const char* odd : {"", "00-", "00-4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736-1",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e47\"\n-00f067aa0ba902b7-01"})
    EXPECT_EQ(trace_id_of(odd), "") << odd;
}

/// The value of a metric without labels.
double metric(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

TEST(MetricsText, AgreesWithUsage) {
  TestApp app(
      {kHi, "<|channel|>analysis<|message|>Hm hm<|end|><|start|>assistant<|channel|>final<|message|>Yes<|return|>"});
  uint64_t prompt = 0, completion = 0, reasoning = 0;
  for (int i = 0; i < 4; ++i) {
    const json::value answer = app.ask_json(
        "/v1/chat/completions", i == 3 ? R"({"n": 2, "messages": [{"role": "user", "content": "x"}]})" : kBody);
    const json::value& usage = answer.at("usage");
    prompt += usage.at("prompt_tokens").to_number<uint64_t>();
    completion += usage.at("completion_tokens").to_number<uint64_t>();
    reasoning += usage.at("completion_tokens_details").at("reasoning_tokens").to_number<uint64_t>();
  }
  const std::string text = app.ask("GET", "/metrics")->response().body;
  EXPECT_EQ(metric(text, "gossamer_prompt_tokens_total"), prompt);
  EXPECT_EQ(metric(text, "gossamer_generated_tokens_total"), completion);
  EXPECT_EQ(metric(text, "gossamer_reasoning_tokens_total"), reasoning);
  EXPECT_NE(text.find("gossamer_requests_finished_total{finished_reason=\"stop\"} 4\n"), std::string::npos) << text;
  EXPECT_NE(text.find("vllm:e2e_request_latency_seconds_count{model_name=\"openai/gpt-oss-20b\"} 4\n"),
            std::string::npos);
}

/// What is told of an answer while it is being written.
TEST(MetricsText, MovesWithEveryToken) {
  Script script;
  script.seconds_per_token = 0.005;
  script.cached_tokens = 2;
  std::string endless = "<|channel|>analysis<|message|>";
  for (int i = 0; i < 100'000; ++i) endless += " x";
  TestApp app({endless}, {}, script);
  const auto answer =
      app.send("POST", "/v1/chat/completions", R"({"stream": true, "messages": [{"role": "user", "content": "x"}]})");
  ASSERT_TRUE(answer->wait_for_pieces(3));
  const auto told = [&](const char* name) { return metric(app.ask("GET", "/metrics")->response().body, name); };
  EXPECT_GT(told("gossamer_prompt_tokens_total"), 2);
  EXPECT_EQ(told("gossamer_cached_prompt_tokens_total"), 2);
  EXPECT_EQ(told("gossamer_time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(told("gossamer_request_queue_seconds_count"), 1);
  const double first = told("gossamer_generated_tokens_total"), reasoning = told("gossamer_reasoning_tokens_total");
  EXPECT_GT(first, 0);
  EXPECT_GT(reasoning, 0);
  ASSERT_TRUE(answer->wait_for_pieces(9));
  EXPECT_GT(told("gossamer_generated_tokens_total"), first);
  EXPECT_GT(told("gossamer_reasoning_tokens_total"), reasoning);
  EXPECT_EQ(told("gossamer_request_seconds_count"), 0);
  EXPECT_FALSE(answer->has_ended());
  EXPECT_EQ(app.ask("POST", "/abort", R"({"abort_all": true})")->response().status, 200u);
  ASSERT_TRUE(answer->wait());
  EXPECT_EQ(told("gossamer_time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(told("gossamer_request_queue_seconds_count"), 1);
  EXPECT_EQ(told("gossamer_request_seconds_count"), 1);
}

/// Each family has HELP and TYPE once, before its samples; names and values are well-formed.
TEST(MetricsText, IsWellFormed) {
  TestApp app({kHi});
  (void)app.ask("POST", "/v1/chat/completions", kBody);
  const std::string text = app.ask("GET", "/metrics")->response().body;
  std::set<std::string> types;
  std::string family;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# TYPE ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(types.insert(family).second) << family;
    } else if (!line.starts_with("# HELP ")) {
      EXPECT_TRUE(line.starts_with(family)) << line;
      EXPECT_NO_THROW((void)std::stod(line.substr(line.rfind(' ') + 1))) << line;
    }
  }
  EXPECT_GT(types.size(), 30u);
}

/// What dashboards and gateways made for vLLM ask for; of speculation and LoRA it is zeros.
TEST(MetricsText, HasVllmsNames) {
  TestApp app({kHi});
  (void)app.ask("POST", "/v1/chat/completions", kBody);
  const std::string text = app.ask("GET", "/metrics")->response().body;
  const auto has = [&](const std::string& name) {
    return text.find("\n" + name + "{model_name=\"openai/gpt-oss-20b\"") != std::string::npos;
  };
  for (const char* name :
       {"num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "gpu_cache_usage_perc",
        "prefix_cache_queries_total", "prefix_cache_hits_total", "num_preemptions_total", "prompt_tokens_total",
        "generation_tokens_total", "request_success_total", "admission_rejections_total", "cache_config_info",
        "spec_decode_num_drafts_total", "spec_decode_num_draft_tokens_total", "spec_decode_num_accepted_tokens_total",
        "lora_requests_info"})
    EXPECT_TRUE(has(std::string("vllm:") + name)) << name;
  for (const char* name :
       {"iteration_tokens_total", "time_to_first_token_seconds", "inter_token_latency_seconds",
        "time_per_output_token_seconds", "request_time_per_output_token_seconds", "e2e_request_latency_seconds",
        "request_queue_time_seconds", "request_inference_time_seconds", "request_prefill_time_seconds",
        "request_decode_time_seconds", "request_prompt_tokens", "request_generation_tokens",
        "request_max_num_generation_tokens"})
    for (const char* suffix : {"_bucket", "_sum", "_count"})
      EXPECT_TRUE(has(std::string("vllm:") + name + suffix)) << name << suffix;
}

TEST(MetricsText, HasWhatTheDashboardAsksFor) {
  TestApp app({kHi});
  const std::string text = app.ask("GET", "/metrics")->response().body;
  const Result<std::string> dashboard = read_file(GOSSAMER_SOURCE_DIR "/docs/grafana-dashboard.json", 1 << 20);
  ASSERT_TRUE(dashboard.ok());
  ASSERT_TRUE(parse_json(*dashboard, "the dashboard").ok());
  const std::regex name("gossamer_[a-z_]+");
  size_t found = 0;
  for (std::sregex_iterator word(dashboard->begin(), dashboard->end(), name), end; word != end; ++word, ++found)
    EXPECT_NE(text.find("\n" + word->str()), std::string::npos) << word->str();
  EXPECT_GT(found, 20u);
}

}  // namespace
}  // namespace gossamer::server
