#include "server/stream_options.h"

namespace gossamer::server {

StreamOptions read_stream_options(JsonReader& reader) {
  StreamOptions options;
  const json::object* object = reader.object("stream_options");
  if (!object) return options;
  JsonReader fields = reader.inside(*object, "stream_options");
  options.include_usage = fields.boolean("include_usage").value_or(false);
  options.continuous_usage = fields.boolean("continuous_usage_stats").value_or(false);
  return options;
}

}  // namespace gossamer::server
