#pragma once

#include <string>

namespace gossamer::cli {

/// The short name of the model that comes with gossamer.
inline constexpr char kDemoModel[] = "gossamer-mini";

/// Where it lies: $GOSSAMER_DEMO_MODEL, else the source tree the program was built from, else beside the program
/// (../share/gossamer/models). The folder may not exist; locate_model() says so then.
std::string demo_model_folder();

}  // namespace gossamer::cli
