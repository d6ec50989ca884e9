#pragma once

#include <memory>

#include "base/result.h"
#include "tools/python_process.h"
#include "tools/tool.h"

namespace gossamer::tools {

/// The python tool that gpt-oss was trained with: code in an interpreter that keeps its variables for one answer.
/// Isolated by gossamer-sandbox. Errors: kUnsupported where this machine cannot isolate it; it has been tried.
Result<std::shared_ptr<Tool>> make_python_tool(const PythonOptions& options);

}  // namespace gossamer::tools
