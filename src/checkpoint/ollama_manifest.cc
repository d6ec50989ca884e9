#include "checkpoint/ollama_manifest.h"

#include <algorithm>

#include "base/json.h"
#include "checkpoint/json_fields.h"

namespace gossamer {
namespace {

constexpr std::string_view kModelMediaType = "application/vnd.ollama.image.model";
constexpr std::string_view kAlgorithm = "sha256";
constexpr size_t kDigestDigits = 64;

/// "sha256:" or "sha256-", then 64 lower-case hex digits: nothing that could be a path.
bool is_digest(std::string_view text) {
  if (text.size() != kAlgorithm.size() + 1 + kDigestDigits || !text.starts_with(kAlgorithm)) return false;
  if (text[kAlgorithm.size()] != ':' && text[kAlgorithm.size()] != '-') return false;
  return text.find_first_not_of("0123456789abcdef", kAlgorithm.size() + 1) == std::string_view::npos;
}

}  // namespace

Result<std::string> parse_ollama_manifest(std::string_view text, std::string_view what) {
  GOS_TRY(const json::value root, parse_json(text, what));
  const json::value* member = find_member(root, "layers");
  const json::array* layers = member ? member->if_array() : nullptr;
  if (!layers) return make_error(ErrorCode::kInvalidInput, "{} has no list of layers", what);
  for (const json::value& layer : *layers) {
    const json::value* type = find_member(layer, "mediaType");
    if (!type || !type->is_string() || type->get_string() != kModelMediaType) continue;
    const json::value* digest = find_member(layer, "digest");
    if (!digest || !digest->is_string() || !is_digest(digest->get_string()))
      return make_error(ErrorCode::kInvalidInput,
                        "{}: the digest of the model layer is {}, not sha256 and {} hex digits", what,
                        digest ? json_excerpt(*digest) : "missing", kDigestDigits);
    std::string blob(digest->get_string());
    blob[kAlgorithm.size()] = '-';
    return blob;
  }
  return make_error(ErrorCode::kInvalidInput, "{} has no layer of type {}", what, kModelMediaType);
}

}  // namespace gossamer
