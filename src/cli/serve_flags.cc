#include "cli/serve_flags.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <regex>
#include <string_view>

#include "cli/foreign_flags.h"

namespace gossamer::cli {
namespace {

bool is_one_of(std::string_view value, std::string_view words) {
  for (size_t begin = 0; begin <= words.size();) {
    const size_t end = std::min(words.find('|', begin), words.size());
    if (words.substr(begin, end - begin) == value) return true;
    begin = end + 1;
  }
  return false;
}

/// "8k" is 8000 and "8K" is 8192, as vLLM has it. Nothing: it is no such number.
std::optional<uint64_t> count_with_unit(const std::string& text) {
  static const std::regex pattern(R"(([0-9]{1,9}(?:\.[0-9]{1,9})?)([kKmMgG]))");
  std::smatch match;
  if (!std::regex_match(text, match, pattern)) return std::nullopt;
  const char unit = match[2].str()[0];
  const bool is_decimal = unit >= 'a';
  const double power = 1.0 + static_cast<double>(std::string_view(is_decimal ? "kmg" : "KMG").find(unit));
  return static_cast<uint64_t>(std::llround(std::stod(match[1]) * std::pow(is_decimal ? 1000.0 : 1024.0, power)));
}

/// Names of --max-context, here and elsewhere.
bool is_context_length(std::string_view name) {
  const ForeignFlag* flag = find_foreign_flag(name);
  return name == "--max-context" ||
         (flag && flag->fate == ForeignFlag::Fate::kRename && flag->detail == "--max-context");
}

/// Flags whose values mean something else here than where they come from. True: it was one.
Result<bool> translate_value(std::string_view name, const std::string& value, ServeArguments& out) {
  const auto keep = [&](std::initializer_list<std::string> words) {
    out.arguments.insert(out.arguments.end(), words);
    return true;
  };
  if (name == "--backend" && (value == "turbomind" || value == "pytorch")) {
    out.notes.push_back("--backend " + value + " means nothing here: gossamer has its own engine");
    return true;
  }
  if (is_context_length(name)) {
    if (value == "auto" || value == "-1") return true;  // as much as model and cache hold
    if (const auto tokens = count_with_unit(value)) return keep({"--max-context", std::to_string(*tokens)});
  }
  if (name == "--tool-server" && value == "demo") return keep({"--tools", "demo"});
  if (name == "--quant-policy") {
    if (value == "0") return true;
    if (value == "8") return keep({"--kv-dtype", "int8"});
    return make_error(ErrorCode::kInvalidInput,
                      "--quant-policy {} is not offered: it sets the cache's dtype (it is no MXFP4); 8 is int8", value);
  }
  if (name == "--kv-cache-dtype") {
    if (value == "auto") return true;
    if (value == "bfloat16" || value == "bf16") return keep({"--kv-dtype", "bf16"});
    if (value.starts_with("int8")) return keep({"--kv-dtype", "int8"});
    return make_error(ErrorCode::kInvalidInput,
                      "--kv-cache-dtype {} is not offered; --kv-dtype takes f32, bf16 or int8", value);
  }
  if ((name == "--allowed-origins" || name == "--allow-origins") && value.starts_with('[')) {  // vLLM takes JSON
    for (size_t begin = value.find('"'); begin != std::string::npos;) {
      const size_t end = value.find('"', begin + 1);
      if (end == std::string::npos) break;
      keep({"--cors", value.substr(begin + 1, end - begin - 1)});
      begin = value.find('"', end + 1);
    }
    return true;
  }
  return false;
}

/// Flags as they stand in a command line, and the values behind them.
class FlagReader {
 public:
  explicit FlagReader(const std::vector<std::string>& arguments) : arguments_(arguments) {
    // A model that comes first, or has a flag of its own, cannot be the last of a flag's values.
    names_model_ = !arguments.empty() && !arguments[0].starts_with('-');
    for (const std::string& argument : arguments)
      for (const std::string_view flag : {"-m", "--model", "--model-path", "--model_path"})
        names_model_ |= argument == flag || argument.starts_with(std::string(flag) + '=');
  }

  bool done() const { return next_ == arguments_.size(); }
  /// The next argument: `name` of a flag, with dashes for underscores, or a word.
  std::string take() {
    const std::string& argument = arguments_[next_++];
    const size_t equals = argument.starts_with('-') ? argument.find('=') : std::string::npos;
    name = argument.substr(0, equals);
    behind_equals_ = equals == std::string::npos ? std::nullopt : std::optional(argument.substr(equals + 1));
    if (name.starts_with("--")) std::ranges::replace(name, '_', '-');
    if (name.size() == 3 && name.starts_with("-O") && !behind_equals_) {  // -O3
      behind_equals_ = name.substr(2);
      name.resize(2);
    }
    return behind_equals_ ? name + "=" + *behind_equals_ : name;
  }
  /// What belongs to the flag that was taken.
  std::vector<std::string> values(ForeignFlag::Takes takes) {
    if (behind_equals_) return {*behind_equals_};
    std::vector<std::string> values;
    if (takes == ForeignFlag::Takes::kNothing || done()) return values;
    values.push_back(arguments_[next_++]);
    while (takes == ForeignFlag::Takes::kValues && names_model_ && !done() && !arguments_[next_].starts_with('-'))
      values.push_back(arguments_[next_++]);
    return values;
  }

  std::string name;

 private:
  const std::vector<std::string>& arguments_;
  size_t next_ = 0;
  bool names_model_ = false;
  std::optional<std::string> behind_equals_;
};

Status translate_flag(const ForeignFlag& flag, const std::vector<std::string>& values, ServeArguments& out) {
  if (flag.fate == ForeignFlag::Fate::kRename) {
    if (values.empty()) out.arguments.emplace_back(flag.detail);
    for (const std::string& value : values) {
      const std::string name(flag.detail);
      if (value.starts_with('-'))
        out.arguments.push_back(name + "=" + value);  // else it would be a flag itself
      else
        out.arguments.insert(out.arguments.end(), {name, value});
    }
    return {};
  }
  const std::string value = values.empty() ? std::string() : values.front();
  const bool fits = flag.only.empty() || is_one_of(value, flag.only);
  if (flag.fate == ForeignFlag::Fate::kRefuse || !fits)
    // Other values say nothing, and may be secrets.
    return make_error(ErrorCode::kInvalidInput, "{}{} is not offered: {}", flag.name,
                      flag.only.empty() || values.empty() ? "" : " " + value, flag.detail);
  out.notes.push_back(fmt::format("{} is not needed: {}", flag.name, flag.detail));
  return {};
}

}  // namespace

Result<ServeArguments> translate_serve_flags(const std::vector<std::string>& arguments) {
  ServeArguments out;
  for (FlagReader reader(arguments); !reader.done();) {
    const std::string argument = reader.take();
    const ForeignFlag* flag = find_foreign_flag(reader.name);
    const bool has_special_values =
        reader.name == "--backend" || reader.name == "--quant-policy" || reader.name == "--max-context";
    const ForeignFlag* negated = flag ? nullptr : find_negated_flag(reader.name);
    if (negated) {
      out.notes.push_back(fmt::format("{} is not needed: {}", reader.name, negated->detail));
      continue;
    }
    if (!flag && !has_special_values) {
      out.arguments.push_back(argument);
      continue;
    }
    const std::vector<std::string> values = reader.values(flag ? flag->takes : ForeignFlag::Takes::kValue);
    if (!values.empty()) {
      GOS_TRY(const bool done, translate_value(reader.name, values.front(), out));
      if (done) continue;
    }
    if (flag) {
      GOS_TRY_STATUS(translate_flag(*flag, values, out));
      continue;
    }
    out.arguments.push_back(reader.name);
    out.arguments.insert(out.arguments.end(), values.begin(), values.end());
  }
  return out;
}

}  // namespace gossamer::cli
