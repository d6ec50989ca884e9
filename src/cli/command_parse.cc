#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/model_options.h"
#include "harmony/json_requests.h"

namespace gossamer::cli {
namespace {

int parse(const std::string& mode_name, const std::string& model) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = find_tokenizer(model);
  if (!tokenizer.ok()) return fail(tokenizer.error());
  const harmony::ParseMode mode = *harmony::parse_mode_from_name(mode_name);  // the option takes only names that exist
  return answer_lines([&](const std::string& line) { return harmony::parse_json_tokens(*tokenizer, line, mode); });
}

}  // namespace

Command parse_command() {
  return {
      "parse", "Harmony tokens to messages, a JSON object a line",
      "  echo '{\"tokens\": [200005, 17196, 200008, 13225, 200002], \"role\": \"assistant\"}' | gossamer parse\n"
      "  prints {\"steps\":[...],\"messages\":[{\"role\":\"assistant\",\"content\":\"Hello\",\"channel\":\"final\"}]}",
      [](Options& options) {
        auto mode = std::make_shared<std::string>("lenient");
        options.choice("--mode", *mode, {"strict", "compatible", "lenient"},
                       "As openai-harmony's strict or non-strict parser, or one that takes everything");
        auto model = std::make_shared<std::string>();
        declare_tokenizer_model(options, *model);
        return [=] { return parse(*mode, *model); };
      }};
}

}  // namespace gossamer::cli
