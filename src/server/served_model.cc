#include "server/served_model.h"

#include <algorithm>
#include <chrono>

#include "harmony/frame_tokens.h"
#include "server/answer_constraints.h"

namespace gossamer::server {
namespace {

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Lower case, without ":latest".
std::string plain_name(std::string_view name) {
  constexpr std::string_view kLatest = ":latest";
  std::string plain(name);
  std::transform(plain.begin(), plain.end(), plain.begin(), ascii_lower);
  if (plain.ends_with(kLatest)) plain.resize(plain.size() - kLatest.size());
  return plain;
}

void add_once(std::vector<std::string>& names, std::string name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
}

/// The spellings in which the same model is known: OpenAI's repository, the bare name, Ollama's tag.
std::vector<std::string> spellings(const std::string& name) {
  std::vector<std::string> all = {name};
  std::string bare = plain_name(name);
  if (const size_t slash = bare.rfind('/'); slash != std::string::npos) bare.erase(0, slash + 1);
  add_once(all, bare);
  for (const std::string size : {"20b", "120b"}) {
    if (bare != "gpt-oss-" + size && bare != "gpt-oss:" + size) continue;
    for (const std::string& spelling : {"gpt-oss-" + size, "gpt-oss:" + size, "openai/gpt-oss-" + size})
      add_once(all, spelling);
  }
  return all;
}

}  // namespace

ModelNames ModelNames::of(const std::string& own_name, const std::vector<std::string>& served_names) {
  std::vector<std::string> all = served_names;
  for (std::string& name : spellings(own_name)) add_once(all, std::move(name));
  ModelNames names;
  names.name = all.front();
  names.aliases.assign(all.begin() + 1, all.end());
  return names;
}

bool ModelNames::matches(std::string_view wanted) const {
  if (any || wanted.empty()) return true;
  const std::string plain = plain_name(wanted);
  const auto is_it = [&](const std::string& known) { return plain_name(known) == plain; };
  return is_it(name) || std::any_of(aliases.begin(), aliases.end(), is_it);
}

Result<std::shared_ptr<ServedModel>> ServedModel::create(ServedModelParts parts, Metrics* metrics) {
  GOS_TRY([[maybe_unused]] auto frame, harmony::FrameTokens::from(*parts.tokenizer));
  GOS_TRY(auto constraints, AnswerConstraints::create(parts.tokenizer, std::move(parts.grammars)));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t created = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  return std::shared_ptr<ServedModel>(new ServedModel(std::move(parts), std::move(constraints), metrics, created));
}

ServedModel::ServedModel(ServedModelParts parts, std::unique_ptr<AnswerConstraints> constraints, Metrics* metrics,
                         int64_t created)
    : parts_(std::move(parts)), constraints_(std::move(constraints)), metrics_(metrics), created_(created) {}

ServedModel::~ServedModel() {
  parts_.source.reset();
}

}  // namespace gossamer::server
