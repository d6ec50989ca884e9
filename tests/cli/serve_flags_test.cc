#include "cli/serve_flags.h"

#include <gmock/gmock.h>

namespace gossamer::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> translated(const std::vector<std::string>& arguments) {
  const Result<ServeArguments> result = translate_serve_flags(arguments);
  EXPECT_TRUE(result.ok()) << result.error().message;
  return result.ok() ? result->arguments : std::vector<std::string>();
}

std::string refusal(const std::vector<std::string>& arguments) {
  const Result<ServeArguments> result = translate_serve_flags(arguments);
  return result.ok() ? "" : result.error().message;
}

TEST(ServeFlags, OursAreLeftAlone) {
  EXPECT_THAT(translated({"gpt-oss:20b", "--port", "8001", "--backend", "avx2", "--kv-dtype=int8", "--frobnicate"}),
              ElementsAre("gpt-oss:20b", "--port", "8001", "--backend", "avx2", "--kv-dtype=int8", "--frobnicate"));
}

TEST(ServeFlags, OfVllm) {
  EXPECT_THAT(translated({"openai/gpt-oss-20b", "--max-model-len", "4096", "--gpu-memory-utilization=0.9", "--uds",
                          "/tmp/s", "--tensor-parallel-size", "1", "--enable-auto-tool-choice", "--tool-call-parser",
                          "openai", "--kv-cache-dtype", "auto", "--allowed-origins", R"(["https://a", "https://b"])"}),
              ElementsAre("openai/gpt-oss-20b", "--max-context", "4096", "--gpu-memory-utilization=0.9",
                          "--unix-socket", "/tmp/s", "--cors", "https://a", "--cors", "https://b"));
}

TEST(ServeFlags, OfSglang) {
  EXPECT_THAT(translated({"--model-path", "m", "--context-length=8192", "--mem-fraction-static", "0.8", "--tp", "1"}),
              ElementsAre("--model", "m", "--max-context", "8192", "--gpu-memory-utilization", "0.8"));
}

TEST(ServeFlags, OfLmdeploy) {
  EXPECT_THAT(translated({"m", "--backend", "turbomind", "--quant", "mxfp4", "--tp", "1", "--server-port", "23333",
                          "--session-len", "2048", "--quant-policy", "8"}),
              ElementsAre("m", "--port", "23333", "--max-context", "2048", "--kv-dtype", "int8"));
}

/// As the tutorials have them.
TEST(ServeFlags, OfWholeCommandLines) {
  EXPECT_THAT(translated({"--model",
                          "openai/gpt-oss-20b",
                          "--tensor-parallel-size",
                          "1",
                          "--gpu-memory-utilization",
                          "0.9",
                          "--max-num-seqs",
                          "64",
                          "--max-num-batched-tokens",
                          "8192",
                          "--quantization",
                          "mxfp4",
                          "--enable-chunked-prefill",
                          "--download-dir",
                          "/models",
                          "--max-model-len",
                          "8192",
                          "--host",
                          "0.0.0.0",
                          "--port",
                          "8000"}),
              ElementsAre("--model", "openai/gpt-oss-20b", "--gpu-memory-utilization", "0.9", "--max-running", "64",
                          "--max-context", "8192", "--host", "0.0.0.0", "--port", "8000"));
  EXPECT_THAT(
      translated({"--model-path", "openai/gpt-oss-120b", "--tp", "4", "--port", "30000", "--disable-radix-cache"}),
      ElementsAre("--model", "openai/gpt-oss-120b", "--port", "30000", "--no-prefix-cache"));
  EXPECT_THAT(translated({"openai/gpt-oss-120b", "--no-enable-prefix-caching", "--async-scheduling",
                          "--disable-uvicorn-access-log", "--generation-config=vllm", "-tp", "8", "-q", "mxfp4"}),
              ElementsAre("openai/gpt-oss-120b", "--no-prefix-cache", "--log=off"));
}

TEST(ServeFlags, WithUnderscoresForDashes) {
  EXPECT_THAT(translated({"my_model", "--max_model_len", "8192", "--gpu_memory_utilization", "0.9", "--host=my_host",
                          "--drain_seconds", "3", "--api-key", "a_b"}),
              ElementsAre("my_model", "--max-context", "8192", "--gpu-memory-utilization", "0.9", "--host=my_host",
                          "--drain-seconds", "3", "--api-key", "a_b"));
}

TEST(ServeFlags, LengthsOfTheContextMayHaveAUnit) {
  for (const auto& [value, tokens] : {std::pair("8k", "8000"),
                                      {"8K", "8192"},
                                      {"25.6k", "25600"},
                                      {"0.5M", "524288"},
                                      {"1m", "1000000"},
                                      {"4096", "4096"},
                                      {"8q", "8q"},
                                      {"k", "k"}})
    for (const char* name : {"--max-model-len", "--context-length", "--max-context"}) {
      EXPECT_THAT(translated({name, value}), ElementsAre("--max-context", tokens));
      EXPECT_THAT(translated({name + std::string("=") + value}), ElementsAre("--max-context", tokens));
    }
  EXPECT_THAT(translated({"--max-model-len", "auto", "m"}), ElementsAre("m"));
  EXPECT_THAT(translated({"--max-model-len", "-1", "m"}), ElementsAre("m"));
}

TEST(ServeFlags, KeysBehindADotAndSwitchesThatAreTurnedOff) {
  EXPECT_THAT(translated({"m",
                          "-O3",
                          "-O",
                          "3",
                          "-O.level=3",
                          "-O.level",
                          "3",
                          "-cc.mode",
                          "3",
                          "--structured-outputs-config.backend",
                          "xgrammar",
                          "--compilation_config.use_inductor=true",
                          "--structured-outputs-config",
                          R"({"backend": "xgrammar"})",
                          "--no-async-scheduling",
                          "--no-enable-chunked-prefill",
                          "--no-enforce-eager",
                          "--no_enable_lora",
                          "--port",
                          "1"}),
              ElementsAre("m", "--port", "1"));
  EXPECT_THAT(refusal({"--speculative-config.method", "ngram"}), HasSubstr("not there yet"));
  EXPECT_THAT(translated({"--no-timings", "--no-prefix-cache", "--no-repack", "--max-model-len.x", "3"}),
              ElementsAre("--no-timings", "--no-prefix-cache", "--no-repack", "--max-model-len.x", "3"));
}

/// Each of them is in the documentation of one of the three.
TEST(ServeFlags, ThatOthersHaveAreKnown) {
  EXPECT_THAT(translated({"m",
                          "--shutdown-timeout",
                          "5",
                          "--sse-keep-alive-interval",
                          "10",
                          "--enable-priority-scheduling",
                          "--priority-scheduling-preemption-threshold",
                          "10",
                          "--enable-hierarchical-cache",
                          "--swa-full-tokens-ratio",
                          "0.5",
                          "--disable-hybrid-swa-memory",
                          "--enable-per-request-metrics",
                          "--default-chat-template-kwargs",
                          "{}",
                          "--enable-sleep-mode",
                          "--logprobs-mode",
                          "raw_logprobs",
                          "--model-impl",
                          "auto",
                          "--stream-output",
                          "--enable-mixed-chunk",
                          "--disable-cuda-graph-padding",
                          "--torch-compile-max-bs",
                          "8",
                          "--log-requests-level",
                          "1",
                          "--max-long-partial-prefills",
                          "2",
                          "--role",
                          "Hybrid"}),
              ElementsAre("m", "--drain-seconds", "5"));
  EXPECT_THAT(refusal({"--max-num-queued-tokens", "1000"}), HasSubstr("--max-queue"));
  EXPECT_THAT(refusal({"--crash-dump-folder", "/tmp"}), HasSubstr("never written"));
  EXPECT_THAT(refusal({"--kv-events-config", "{}"}), HasSubstr("/metrics"));
  EXPECT_THAT(refusal({"--ssl-ciphers", "x"}), HasSubstr("TLS 1.2"));
  EXPECT_THAT(refusal({"--empty-init"}), HasSubstr("model's files"));
  EXPECT_THAT(refusal({"--role", "Prefill"}), HasSubstr("one process"));
  EXPECT_THAT(refusal({"--logprobs-mode", "processed_logits"}), HasSubstr("before any mask"));
  EXPECT_THAT(refusal({"--default-chat-template-kwargs", R"({"reasoning_effort": "high"})"}),
              HasSubstr("with requests"));
}

TEST(ServeFlags, SomeTakeSeveralValues) {
  EXPECT_THAT(translated({"m", "--served-model-name", "a", "b", "--api-key", "k", "l", "--port", "1"}),
              ElementsAre("m", "--served-model-name", "a", "--served-model-name", "b", "--api-key", "k", "--api-key",
                          "l", "--port", "1"));
  EXPECT_THAT(translated({"--served-model-name", "a", "m"}), ElementsAre("--served-model-name", "a", "m"));
  EXPECT_THAT(translated({"--served-model-name", "a", "b", "--model", "m"}),
              ElementsAre("--served-model-name", "a", "--served-model-name", "b", "--model", "m"));
  EXPECT_THAT(translated({"m", "--served-model-name=a", "b"}), ElementsAre("m", "--served-model-name", "a", "b"));
  EXPECT_THAT(translated({"m", "--api-key=-k"}), ElementsAre("m", "--api-key=-k"));
}

TEST(ServeFlags, WhatIsNotOfferedSaysWhatToDo) {
  EXPECT_THAT(refusal({"--dp", "4"}), HasSubstr("--dp 4 is not offered"));
  EXPECT_THAT(refusal({"--admin-api-key", "secret"}), AllOf(HasSubstr("--api-key"), Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal({"--quantization=awq"}), HasSubstr("as they are stored"));
  EXPECT_THAT(refusal({"--enable-log-requests"}), HasSubstr("never logged"));
  EXPECT_THAT(refusal({"--quant-policy", "4"}), HasSubstr("no MXFP4"));
  EXPECT_THAT(refusal({"--kv-cache-dtype", "fp8"}), HasSubstr("--kv-dtype"));
  EXPECT_THAT(refusal({"--speculative-algorithm", "EAGLE3"}), HasSubstr("not there yet"));
  EXPECT_THAT(refusal({"--tool-server", "localhost:8001"}), HasSubstr("--tools"));
  EXPECT_THAT(translated({"--tool-server", "demo"}), ElementsAre("--tools", "demo"));
}

TEST(ServeFlags, AValueThatIsMissingIsTheCommandsToTell) {
  EXPECT_THAT(translated({"--max-model-len"}), ElementsAre("--max-context"));
}

}  // namespace
}  // namespace gossamer::cli
