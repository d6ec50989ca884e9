#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/engine_flags.h"
#include "cli/local_tools.h"
#include "cli/model_options.h"
#include "cli/options.h"

namespace gossamer::cli {

/// The options of `gossamer serve`.
struct ServeOptions {
  ModelOptions model;
  EngineFlags engine;
  std::vector<std::string> words;  ///< the model

  std::string host = "127.0.0.1";
  uint32_t port = 8000;
  std::string unix_socket, tls_certificate, tls_key;
  uint32_t http_threads = 2;
  std::vector<std::string> api_keys;
  std::string api_key_file;
  std::vector<std::string> cors_origins;

  std::vector<std::string> served_names;
  bool any_model = false;
  std::string date = "today";
  uint32_t max_context = 0, max_running = 64, max_queue = 1024;
  uint32_t timeout_seconds = 0, drain_seconds = 30;
  std::string response_store;  ///< a file; empty: in memory
  uint32_t response_days = 30, response_megabytes = 64;
  std::vector<std::string> tools;  ///< that the server runs itself: see tools/toolset.h
  LocalToolOptions tool_options;
  bool no_timings = false, fast = false, no_prefix_cache = false;
  std::string log;                        ///< "text", "json", "off"; empty: text on a terminal, else JSON
  std::string script;                     ///< a file of harmony text that is every answer: for measurements
  uint32_t script_tokens_per_second = 0;  ///< of each of its answers; 0: at once

  void declare(Options& options);
};

/// Serves until a signal ends it. Returns the exit code.
int serve(const ServeOptions& options);

}  // namespace gossamer::cli
