#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/serve.h"
#include "cli/serve_flags.h"

namespace gossamer::cli {

void ServeOptions::declare(Options& options) {
  options.words("[MODEL]", words, 1, "The model (default: the demo model)");
  model.declare(options);
  engine.declare(options);
  options.text("--host", host, "The address or name to listen at; 0.0.0.0 is every one", "ADDRESS");
  options.count("--port", port, "The port; 0: one that is free");
  options.text("--unix-socket", unix_socket, "Listen at a Unix socket instead", "PATH");
  options.text("--tls-cert", tls_certificate, "Certificate chain, PEM", "FILE");
  options.text("--tls-key", tls_key, "Its private key, PEM", "FILE");
  options.list("--api-key", api_keys, "A key that clients must send; also $GOSSAMER_API_KEY", "KEY");
  options.text("--api-key-file", api_key_file, "SHA-256 of keys, one a line; read again when it changes and on SIGHUP",
               "FILE");
  options.list("--cors", cors_origins, "A web page's origin that may ask (https://chat.example), or *", "ORIGIN");
  options.list("--served-model-name", served_names, "A name that requests call the model by; the first is shown",
               "NAME");
  options.flag("--any-model", any_model, "Answer whatever model a request names");
  options.count("--max-context", max_context,
                "Tokens of prompt and answer together (default: what model and cache hold)");
  options.count("--max-running", max_running, "Answers that are computed at once");
  options.count("--max-queue", max_queue, "Requests that may wait; more are refused with 429");
  options.flag("--no-prefix-cache", no_prefix_cache, "Compute every prompt from its beginning: for measurements");
  options.count("--timeout", timeout_seconds, "Seconds that an answer may take; 0: any");
  options.count("--drain-seconds", drain_seconds, "Seconds that answers may take to end after SIGTERM");
  options.text("--date", date, "The date that the model is told: 2025-06-28, today or none", "DATE");
  options.text("--response-store", response_store, "Keep responses in this file (default: in memory)", "FILE");
  options.count("--response-days", response_days, "Days that a response is kept after it was last gone on from");
  options.count("--response-megabytes", response_megabytes, "Room for responses; the oldest go first");
  options.list("--tools", tools,
               "Tools that the server runs itself: python, browser, mcp:URL, \"mcp:COMMAND ...\"; parted by commas",
               "TOOL");
  tool_options.declare(options);
  options.flag("--fast", fast,
               "Activations in 8 bits where many tokens are computed together: prompts take about 0.6 of the time, and "
               "answers may differ with what else runs (the default here is --exact)");
  options.flag("--no-timings", no_timings, "Leave `ttft` and `timings` out of answers");
  options.choice("--log", log, {"text", "json", "off"}, "The access log (default: text on a terminal, else JSON)");
  options.count("--http-threads", http_threads, "Threads that read requests and write answers");
  options.text("--scripted", script, "For measurements: no model, this file of harmony text is every answer", "FILE");
  options.count("--scripted-rate", script_tokens_per_second, "Its tokens a second in each answer (default: at once)");
}

Command serve_command() {
  Command command;
  command.name = "serve";
  command.summary = "Serve OpenAI's and Ollama's APIs over HTTP";
  command.example =
      "  gossamer serve\n"
      "  gossamer serve gpt-oss:20b --host 0.0.0.0 --api-key-file keys.txt\n"
      "  curl http://127.0.0.1:8000/v1/chat/completions -d '{\"messages\": [{\"role\": \"user\", \"content\": "
      "\"Hi\"}]}'\n\n"
      "Flags of vllm serve, sglang.launch_server and lmdeploy serve api_server are understood where they mean "
      "something here.";
  command.declare = [](Options& options) {
    auto chosen = std::make_shared<ServeOptions>();
    chosen->declare(options);
    return [chosen] {
      if (!chosen->words.empty()) chosen->model.model = chosen->words[0];
      chosen->model.exact = !chosen->fast;  // clients count on the same answer to the same request, whoever else asks
      return serve(*chosen);
    };
  };
  command.translate = [](const std::vector<std::string>& arguments) -> Result<std::vector<std::string>> {
    GOS_TRY(ServeArguments translated, translate_serve_flags(arguments));
    for (const std::string& note : translated.notes) fmt::print(stderr, "{}\n", note);
    return std::move(translated.arguments);
  };
  return command;
}

}  // namespace gossamer::cli
