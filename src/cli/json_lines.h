#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace gossamer::cli {

/// What a line of stdin is answered with.
using LineAnswer = std::function<Result<json::object>(const std::string& line)>;

/// Answers each line of stdin with a JSON object on a line of stdout, at once and in order; empty lines are passed
/// over. A line that `answer` refuses is answered with {"error": "line 3: ..."} and the next one is read. Returns the
/// exit code: kFailure where a line was refused.
int answer_lines(const LineAnswer& answer);

/// A line as a JSON object. Errors: it is none.
Result<json::object> parse_object(const std::string& line);

}  // namespace gossamer::cli
