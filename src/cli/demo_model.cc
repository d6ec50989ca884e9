#include "cli/demo_model.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace gossamer::cli {

std::string demo_model_folder() {
  namespace fs = std::filesystem;
  if (const char* chosen = std::getenv("GOSSAMER_DEMO_MODEL"); chosen && *chosen) return chosen;
  std::error_code ignored;  // any failure means: not there
  const fs::path built_from = fs::path(GOSSAMER_MODELS_DIR) / kDemoModel;
  if (fs::exists(built_from, ignored)) return built_from;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  const fs::path installed = program.parent_path().parent_path() / "share/gossamer/models" / kDemoModel;
  return fs::exists(installed, ignored) ? installed : built_from;
}

}  // namespace gossamer::cli
