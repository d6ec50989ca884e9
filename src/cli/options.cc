#include "cli/options.h"

#include <CLI/App.hpp>

namespace gossamer::cli {

void Options::flag(const std::string& names, bool& value, const std::string& help) { command_.add_flag(names, value, help); }

void Options::text(const std::string& names, std::string& value, const std::string& help) {
  CLI::Option* option = command_.add_option(names, value, help)->type_name("TEXT");
  if (!value.empty()) option->capture_default_str();
}

void Options::text(const std::string& names, std::optional<std::string>& value, const std::string& help) {
  command_.add_option(names, value, help)->type_name("TEXT");
}

void Options::choice(const std::string& names, std::string& value, const std::vector<std::string>& allowed,
                     const std::string& help) {
  std::string type;
  for (const std::string& word : allowed) type += (type.empty() ? "" : "|") + word;
  CLI::Option* option = command_.add_option(names, value, help)->type_name(type);
  option->check([allowed, type](const std::string& word) {
    bool known = std::find(allowed.begin(), allowed.end(), word) != allowed.end();
    return known ? std::string() : "'" + word + "' is none of " + type;
  });
  if (!value.empty()) option->capture_default_str();
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

void Options::list(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  command_.add_option(names, values, help)->type_name("TEXT")->expected(1)->take_all();
}

void Options::required_text(const std::string& names, std::string& value, const std::string& help) {
  text(names, value, help);
  command_.get_option(names.substr(names.rfind(',') + 1))->required();
}

void Options::words(const std::string& name, std::vector<std::string>& values, int max_words, const std::string& help) {
  command_.add_option(name, values, help)->type_name("")->expected(0, max_words);
}

}  // namespace gossamer::cli
