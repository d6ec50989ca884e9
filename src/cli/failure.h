#pragma once

#include "base/result.h"

namespace gossamer::cli {

/// Prints the sentence of `error` on stderr. Returns the exit code.
int fail(const Error& error);

/// Prints what is wrong with the command line, what was probably meant (where `meant` is not empty), and where help is.
/// `command` is empty where none was recognised. Returns the exit code.
int fail_usage(const std::string& command, const std::string& sentence, const std::string& meant = "");

}  // namespace gossamer::cli
