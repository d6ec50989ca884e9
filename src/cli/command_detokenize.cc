#include <memory>

#include "base/utf8.h"
#include "cli/command.h"
#include "cli/failure.h"
#include "cli/json_lines.h"
#include "cli/json_request.h"
#include "cli/model_options.h"

namespace gossamer::cli {
namespace {

std::string hex(std::string_view bytes) {
  std::string digits;
  digits.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  return digits;
}

int detokenize(const std::string& model) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = find_tokenizer(model);
  if (!tokenizer.ok()) return fail(tokenizer.error());
  return answer_lines([&](const std::string& line) -> Result<json::object> {
    GOS_TRY(const json::object request, parse_object(line));
    GOS_TRY(const std::vector<TokenId> ids, tokens_field(request, "ids"));
    const std::string bytes = (*tokenizer)->decode_bytes(ids);
    return json::object{{"text", utf8_lossy(bytes)}, {"hex", hex(bytes)}};
  });
}

}  // namespace

Command detokenize_command() {
  return {"detokenize", "Token ids to text, a JSON object a line",
          "  echo '{\"ids\": [13225, 11, 2375]}' | gossamer detokenize\n"
          "  prints {\"text\":\"Hello, world\",\"hex\":\"48656c6c6f2c20776f726c64\"}",
          [](Options& options) {
            auto model = std::make_shared<std::string>();
            declare_tokenizer_model(options, *model);
            return [=] { return detokenize(*model); };
          }};
}

}  // namespace gossamer::cli
