#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "engine/engine.h"

namespace gossamer {

/// Events of one or several requests, from the engine's thread to the one that reads them. Copies share one queue; it
/// lives as long as the last of them, so an engine may still push when the reader has gone.
class EventQueue {
 public:
  /// What to give to Engine::submit().
  EventSink sink() const {
    return [shared = shared_](const EngineEvent& event) {
      {
        std::lock_guard lock(shared->mutex);
        shared->events.push_back(event);
      }
      shared->news.notify_one();
    };
  }

  /// The next event; waits for it.
  EngineEvent next() {
    std::unique_lock lock(shared_->mutex);
    shared_->news.wait(lock, [&] { return !shared_->events.empty(); });
    EngineEvent event = std::move(shared_->events.front());
    shared_->events.pop_front();
    return event;
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable news;
    std::deque<EngineEvent> events;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace gossamer
