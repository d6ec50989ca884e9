#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/json_request.h"
#include "cli/model_options.h"

namespace gossamer::cli {
namespace {

int tokenize(const std::string& model, bool special) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = find_tokenizer(model);
  if (!tokenizer.ok()) return fail(tokenizer.error());
  return answer_lines([&](const std::string& line) -> Result<json::object> {
    GOS_TRY(const json::object request, parse_object(line));
    GOS_TRY(const std::string text, text_field(request, "text"));
    std::vector<TokenId> ids;
    if (special)
      (*tokenizer)->encode_with_specials(text, ids);
    else
      (*tokenizer)->encode(text, ids);
    return json::object{{"ids", tokens_json(ids)}};
  });
}

}  // namespace

Command tokenize_command() {
  return {"tokenize", "Text to token ids, a JSON object a line",
          "  echo '{\"text\": \"Hello, world\"}' | gossamer tokenize\n  prints {\"ids\":[13225,11,2375]}",
          [](Options& options) {
            auto model = std::make_shared<std::string>();
            auto special = std::make_shared<bool>(false);
            declare_tokenizer_model(options, *model);
            options.flag("--special", *special, "Names of special tokens in the text become those tokens");
            return [=] { return tokenize(*model, *special); };
          }};
}

}  // namespace gossamer::cli
