#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/model_options.h"
#include "harmony/json_requests.h"

namespace gossamer::cli {
namespace {

int render(const std::string& model) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = find_tokenizer(model);
  if (!tokenizer.ok()) return fail(tokenizer.error());
  return answer_lines([&](const std::string& line) -> Result<json::object> {
    Result<json::object> rendered = harmony::render_json(**tokenizer, line);
    // A conversation that harmony refuses is a question answered; only a line that is no question is an error.
    if (!rendered.ok() && parse_object(line).ok()) return json::object{{"error", rendered.error().message}};
    return rendered;
  });
}

}  // namespace

Command render_command() {
  return {
      "render", "Conversations to harmony tokens, a JSON object a line",
      "  echo '{\"conversation\": {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}}' | gossamer render\n"
      "  prints {\"tokens\":[...],\"text\":\"<|start|>user<|message|>Hi<|end|><|start|>assistant\"}\n\n"
      "A line may also name \"call\" (completion, conversation, training), \"next_role\" and \"auto_drop_analysis\".",
      [](Options& options) {
        auto model = std::make_shared<std::string>();
        declare_tokenizer_model(options, *model);
        return [=] { return render(*model); };
      }};
}

}  // namespace gossamer::cli
