#pragma once

#include <functional>
#include <memory>

#include "server/call.h"

namespace gossamer::server {

struct ChatRequest;
struct CompletionRequest;

/// Finds what the answer to `request` is held to (its member `constraint`) and goes on with `then`: on this thread
/// where all its grammars are compiled already, else later on one of the app's. Where that cannot be, the call is
/// answered with the error, and `then` is dropped.
void constrain(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
               const std::shared_ptr<ChatRequest>& request, std::function<void()> then);
void constrain(const std::shared_ptr<Call>& call, const std::shared_ptr<ServedModel>& model,
               const std::shared_ptr<CompletionRequest>& request, std::function<void()> then);

}  // namespace gossamer::server
