#pragma once

#include <memory>

#include "cli/serve.h"
#include "server/app.h"
#include "server/served_model.h"

namespace gossamer::cli {

/// Errors: what can be known to be wrong before anything is loaded: a model that is not there, options that make no
/// sense.
Status check_before_loading(const ServeOptions& options);

/// Loads what `options` name and starts its engine; tells `app` how far it is. Errors: as loading and Engine::start.
Result<std::shared_ptr<server::ServedModel>> load_served_model(const ServeOptions& options, server::App& app);

}  // namespace gossamer::cli
