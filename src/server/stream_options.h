#pragma once

#include "server/json_reader.h"

namespace gossamer::server {

/// "stream_options" of chat completions and completions.
struct StreamOptions {
  bool include_usage = false;     ///< a last chunk with the counts
  bool continuous_usage = false;  ///< in every chunk the counts so far, of its choice; as vLLM has it
};

StreamOptions read_stream_options(JsonReader& reader);

}  // namespace gossamer::server
