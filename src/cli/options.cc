#include "cli/options.h"

#include <CLI/App.hpp>
#include <algorithm>

namespace gossamer::cli {
namespace {

/// A check that takes only these words; `type` is how they are listed.
std::function<std::string(const std::string&)> one_of(const std::vector<std::string>& allowed,
                                                      const std::string& type) {
  return [allowed, type](const std::string& word) {
    const bool known = std::find(allowed.begin(), allowed.end(), word) != allowed.end();
    return known ? std::string() : "'" + word + "' is none of " + type;
  };
}

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : "|") + word;
  return joined;
}

}  // namespace

void Options::flag(const std::string& names, bool& value, const std::string& help) {
  command_.add_flag(names, value, help);
}

void Options::text(const std::string& names, std::string& value, const std::string& help, const std::string& kind) {
  CLI::Option* option = command_.add_option(names, value, help)->type_name(kind);
  if (!value.empty()) option->capture_default_str();
}

void Options::choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
                     const std::string& help) {
  const std::string type = join(allowed);
  CLI::Option* option = command_.add_option(names, value, help)->type_name(type)->check(one_of(allowed, type));
  if (!value.empty()) option->capture_default_str();
}

void Options::choice_flag(const std::string& name, std::string& value, const std::string& alone,
                          const std::vector<std::string>& allowed, const std::string& help) {
  command_.add_flag(name + "{" + alone + "}", value, help)->check(one_of(allowed, join(allowed)));
}

void Options::number(const std::string& names, std::optional<float>& value, const std::string& help) {
  command_.add_option(names, value, help)->type_name("NUMBER");
}

void Options::integer(const std::string& names, std::optional<uint64_t>& value, const std::string& help) {
  command_.add_option(names, value, help)->type_name("N");
}

void Options::count(const std::string& names, uint32_t& value, const std::string& help) {
  CLI::Option* option = command_.add_option(names, value, help)->type_name("N");
  if (value != 0) option->capture_default_str();
}

void Options::list(const std::string& names, std::vector<std::string>& values, const std::string& help,
                   const std::string& kind) {
  command_.add_option(names, values, help)->type_name(kind)->expected(1)->take_all()->allow_extra_args(false);
}

void Options::required_file(const std::string& names, std::string& value, const std::string& help) {
  command_.add_option(names, value, help)->type_name("FILE")->required();
}

void Options::words(const std::string& name, std::vector<std::string>& values, size_t max_words,
                    const std::string& help) {
  command_.add_option(name, values, help)->type_name("")->expected(-1);
  words_ = &values;
  max_words_ = max_words;
}

std::optional<std::string> Options::add_words(const std::vector<std::string>& after_dashes) {
  std::vector<std::string> all = words_ ? *words_ : std::vector<std::string>();
  all.insert(all.end(), after_dashes.begin(), after_dashes.end());
  if (all.size() > max_words_) return all[max_words_];
  if (words_) *words_ = std::move(all);
  return std::nullopt;
}

std::vector<std::string> Options::given() const {
  std::vector<std::string> names;
  for (const CLI::Option* option : command_.get_options())
    if (option->count() > 0 && !option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  return names;
}

}  // namespace gossamer::cli
