#include "cli/json_lines.h"

#include <iostream>

#include "cli/command.h"
#include "cli/output.h"

namespace gossamer::cli {

Result<json::object> parse_object(const std::string& line) {
  GOS_TRY(json::value value, parse_json(line, "this line"));
  if (!value.is_object())
    return make_error(ErrorCode::kInvalidInput, "this line is not a JSON object, as {{\"text\": \"Hello\"}} is");
  return std::move(value.get_object());
}

int answer_lines(const LineAnswer& answer) {
  std::ios::sync_with_stdio(false);
  Output out;
  std::string line;
  bool refused = false;
  for (uint64_t number = 1; out.ok() && std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<json::object> reply = answer(line);
    if (!reply.ok()) {
      refused = true;
      reply = json::object{{"error", fmt::format("line {}: {}", number, reply.error().message)}};
    }
    out.line(json::serialize(*reply));
  }
  const int code = out.close();
  return refused ? kFailure : code;
}

}  // namespace gossamer::cli
