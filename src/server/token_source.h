#pragma once

#include "base/result.h"
#include "engine/engine.h"

namespace gossamer::server {

/// What the server needs of an engine: tokens in, tokens out. EngineSource is the real one, ScriptedEngine plays given
/// tokens, for tests and measurements.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  /// As Engine::submit().
  virtual Result<SequenceId> submit(EngineRequest request, EventSink sink) = 0;
  /// As Engine::cancel().
  virtual void cancel(SequenceId id) = 0;
  virtual EngineStats stats() const = 0;
  /// Prompt and answer together, at most.
  virtual uint32_t max_sequence_tokens() const = 0;
  /// Forgets all prefixes that nobody is using.
  virtual void reset_prefix_cache() = 0;
};

}  // namespace gossamer::server
