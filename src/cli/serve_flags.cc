#include "cli/serve_flags.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace gossamer::cli {
namespace {

/// What becomes of a flag of another server.
enum class Fate : uint8_t {
  kRename,  ///< `detail` is our name of it
  kIgnore,  ///< `detail` says why it is not needed
  kRefuse,  ///< `detail` says what to do instead
};

struct ForeignFlag {
  std::string_view name;
  Fate fate;
  std::string_view detail;
  bool has_value = true;
  std::string_view only = {};  ///< kIgnore: values for which that holds, parted by |; empty: any
};

constexpr ForeignFlag kForeignFlags[] = {
    // Where it listens, and who may ask.
    {"--uds", Fate::kRename, "--unix-socket"},
    {"--ssl-certfile", Fate::kRename, "--tls-cert"},
    {"--ssl-keyfile", Fate::kRename, "--tls-key"},
    {"--server-name", Fate::kRename, "--host"},
    {"--server-port", Fate::kRename, "--port"},
    {"--api-keys", Fate::kRename, "--api-key"},
    {"--allowed-origins", Fate::kRename, "--cors"},
    {"--allow-origins", Fate::kRename, "--cors"},
    // The model.
    {"--model-path", Fate::kRename, "--model"},
    {"--model-name", Fate::kRename, "--served-model-name"},
    {"--tokenizer", Fate::kIgnore, "the tokenizer is the model's own"},
    {"--tokenizer-path", Fate::kIgnore, "the tokenizer is the model's own"},
    {"--trust-remote-code", Fate::kIgnore, "there is no code in a model here", false},
    {"--load-format", Fate::kIgnore, "the format is seen from the files"},
    {"--download-dir", Fate::kRefuse, "gossamer does not download models; hf download or ollama pull does"},
    {"--chat-template", Fate::kRefuse, "gpt-oss speaks harmony, which is built in"},
    // Lengths and numbers.
    {"--max-model-len", Fate::kRename, "--max-context"},
    {"--context-length", Fate::kRename, "--max-context"},
    {"--session-len", Fate::kRename, "--max-context"},
    {"--max-num-seqs", Fate::kRename, "--max-running"},
    {"--max-running-requests", Fate::kRename, "--max-running"},
    {"--max-batch-size", Fate::kRename, "--max-running"},
    {"--max-queued-requests", Fate::kRename, "--max-queue"},
    {"--max-num-queued-reqs", Fate::kRename, "--max-queue"},
    {"--max-num-batched-tokens", Fate::kIgnore, "a step's size follows --tpot-goal"},
    {"--chunked-prefill-size", Fate::kIgnore, "a step's size follows --tpot-goal"},
    {"--max-prefill-tokens", Fate::kIgnore, "a step's size follows --tpot-goal"},
    {"--max-prefill-token-num", Fate::kIgnore, "a step's size follows --tpot-goal"},
    // Memory and numbers' formats.
    {"--gpu-memory-utilization", Fate::kIgnore, "there is no GPU; --kv-memory sets the cache"},
    {"--mem-fraction-static", Fate::kIgnore, "there is no GPU; --kv-memory sets the cache"},
    {"--cache-max-entry-count", Fate::kIgnore, "there is no GPU; --kv-memory sets the cache"},
    {"--kv-cache-memory-bytes", Fate::kRename, "--kv-memory"},
    {"--kv-cache-dtype", Fate::kRename, "--kv-dtype"},
    {"--quantization", Fate::kIgnore, "weights are used as they are stored", true, "mxfp4|auto"},
    {"--quant", Fate::kIgnore, "weights are used as they are stored", true, "mxfp4|auto"},
    {"--model-format", Fate::kIgnore, "weights are used as they are stored", true, "mxfp4|hf|auto"},
    {"--dtype", Fate::kIgnore, "see --precision", true, "auto|bfloat16|float16|half|float"},
    // What is on anyway, or found by itself.
    {"--enable-chunked-prefill", Fate::kIgnore, "it is always on", false},
    {"--enable-prefix-caching", Fate::kIgnore, "it is always on", false},
    {"--enable-auto-tool-choice", Fate::kIgnore, "tools need no flag", false},
    {"--tool-call-parser", Fate::kIgnore, "tools need no flag"},
    {"--reasoning-parser", Fate::kIgnore, "reasoning needs no flag"},
    {"--enable-metrics", Fate::kIgnore, "/metrics is always there", false},
    {"--enable-request-id-headers", Fate::kIgnore, "x-request-id is always there", false},
    {"--enforce-eager", Fate::kIgnore, "there are no graphs to capture", false},
    {"--disable-log-requests", Fate::kIgnore, "prompts are never logged; --log off silences the rest", false},
    {"--no-enable-log-requests", Fate::kIgnore, "prompts are never logged; --log off silences the rest", false},
    {"--disable-log-stats", Fate::kIgnore, "/metrics has them", false},
    {"--attention-backend", Fate::kIgnore, "--backend chooses kernels"},
    // More machines than one.
    {"--tensor-parallel-size", Fate::kIgnore, "one process computes", true, "1"},
    {"-tp", Fate::kIgnore, "one process computes", true, "1"},
    {"--tp", Fate::kIgnore, "one process computes", true, "1"},
    {"--tp-size", Fate::kIgnore, "one process computes", true, "1"},
    {"--pipeline-parallel-size", Fate::kIgnore, "one process computes", true, "1"},
    {"--data-parallel-size", Fate::kIgnore, "one process computes", true, "1"},
    {"--dp", Fate::kIgnore, "one process computes", true, "1"},
    {"--ep", Fate::kIgnore, "one process computes", true, "1"},
    // What is not there.
    {"--tool-server", Fate::kRefuse,
     "--tools takes python, browser, mcp:URL and mcp:COMMAND; --tool-server demo is known"},
    {"--speculative-algorithm", Fate::kRefuse, "speculation is not there yet"},
    {"--speculative-config", Fate::kRefuse, "speculation is not there yet"},
    {"--speculative-num-steps", Fate::kRefuse, "speculation is not there yet"},
    {"--speculative-eagle-topk", Fate::kRefuse, "speculation is not there yet"},
    {"--speculative-num-draft-tokens", Fate::kRefuse, "speculation is not there yet"},
    {"--enable-lora", Fate::kRefuse, "adapters are not there yet", false},
    {"--lora-modules", Fate::kRefuse, "adapters are not there yet"},
    {"--adapters", Fate::kRefuse, "adapters are not there yet"},
    {"--root-path", Fate::kRefuse, "let the proxy in front take the path off"},
    {"--ssl-ca-certs", Fate::kRefuse, "client certificates are not checked; use --api-key-file"},
};

const ForeignFlag* find_flag(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kForeignFlags), std::end(kForeignFlags), [&](const auto& f) { return f.name == name; });
  return found == std::end(kForeignFlags) ? nullptr : found;
}

bool is_one_of(std::string_view value, std::string_view words) {
  for (size_t begin = 0; begin <= words.size();) {
    const size_t end = std::min(words.find('|', begin), words.size());
    if (words.substr(begin, end - begin) == value) return true;
    begin = end + 1;
  }
  return false;
}

/// Flags whose values mean something else here than where they come from. True: it was one.
Result<bool> translate_value(std::string_view name, const std::string& value, ServeArguments& out) {
  const auto keep = [&](std::initializer_list<std::string> words) {
    out.arguments.insert(out.arguments.end(), words);
    return true;
  };
  if (name == "--backend" && (value == "turbomind" || value == "pytorch")) {
    out.notes.push_back("--backend " + value + " means nothing here: gossamer has its own engine");
    return true;
  }
  if (name == "--tool-server" && value == "demo") return keep({"--tools", "demo"});
  if (name == "--quant-policy") {
    if (value == "0") return true;
    if (value == "8") return keep({"--kv-dtype", "int8"});
    return make_error(ErrorCode::kInvalidInput,
                      "--quant-policy {} is not offered: it sets the cache's dtype (it is no MXFP4); 8 is int8", value);
  }
  if (name == "--kv-cache-dtype") {
    if (value == "auto") return true;
    if (value == "bfloat16" || value == "bf16") return keep({"--kv-dtype", "bf16"});
    if (value.starts_with("int8")) return keep({"--kv-dtype", "int8"});
    return make_error(ErrorCode::kInvalidInput,
                      "--kv-cache-dtype {} is not offered; --kv-dtype takes f32, bf16 or int8", value);
  }
  if ((name == "--allowed-origins" || name == "--allow-origins") && value.starts_with('[')) {  // vLLM takes JSON
    for (size_t begin = value.find('"'); begin != std::string::npos;) {
      const size_t end = value.find('"', begin + 1);
      if (end == std::string::npos) break;
      keep({"--cors", value.substr(begin + 1, end - begin - 1)});
      begin = value.find('"', end + 1);
    }
    return true;
  }
  return false;
}

}  // namespace

Result<ServeArguments> translate_serve_flags(const std::vector<std::string>& arguments) {
  ServeArguments out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const size_t equals = argument.starts_with('-') ? argument.find('=') : std::string::npos;
    const std::string name = argument.substr(0, equals);
    const ForeignFlag* flag = find_flag(name);
    const bool has_special_values = name == "--backend" || name == "--quant-policy";
    if (!flag && !has_special_values) {
      out.arguments.push_back(argument);
      continue;
    }
    const bool takes_value = !flag || flag->has_value;
    std::optional<std::string> value;
    if (equals != std::string::npos) value = argument.substr(equals + 1);
    if (!value && takes_value && i + 1 < arguments.size()) value = arguments[++i];
    if (value) {
      GOS_TRY(const bool done, translate_value(name, *value, out));
      if (done) continue;
    }
    if (!flag || flag->fate == Fate::kRename) {
      out.arguments.emplace_back(flag ? flag->detail : name);
      if (value) out.arguments.push_back(*value);
      continue;
    }
    const bool fits = flag->only.empty() || (value && is_one_of(*value, flag->only));
    if (flag->fate == Fate::kRefuse || !fits)
      return make_error(ErrorCode::kInvalidInput, "{}{} is not offered: {}", name, value ? " " + *value : "",
                        flag->detail);
    out.notes.push_back(fmt::format("{} is not needed: {}", name, flag->detail));
  }
  return out;
}

}  // namespace gossamer::cli
