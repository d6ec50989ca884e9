#pragma once

#include <memory>

#include "engine/engine.h"
#include "server/token_source.h"

namespace gossamer::server {

/// The engine as a source of tokens.
class EngineSource final : public TokenSource {
 public:
  explicit EngineSource(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Result<SequenceId> submit(EngineRequest request, EventSink sink) override {
    return engine_->submit(std::move(request), std::move(sink));
  }
  void cancel(SequenceId id) override { engine_->cancel(id); }
  EngineStats stats() const override { return engine_->stats(); }
  uint32_t max_sequence_tokens() const override { return engine_->max_sequence_tokens(); }
  void reset_prefix_cache() override { engine_->reset_prefix_cache(); }

  Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace gossamer::server
