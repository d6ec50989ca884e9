#include "server/chat_file.h"

#include <sstream>

namespace gossamer::server {

Result<ChatFile> ChatFile::parse(const std::string& text) {
  ChatFile file;
  std::istringstream lines(text);
  std::string line;
  std::string* into = nullptr;  // the section that lines go to
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with("# ") && !into) continue;
    if (!line.starts_with("== ")) {
      if (!into && !line.empty())
        return make_error(ErrorCode::kInvalidInput, "line {}: no section begins here", number);
      if (into && !(into->empty() && line.empty())) *into += line + "\n";
      continue;
    }
    const std::string title = line.substr(3);
    if (title == "answer") {
      into = &file.answers.emplace_back();
    } else if (title[0] >= '0' && title[0] <= '9') {
      if (file.steps.empty()) return make_error(ErrorCode::kInvalidInput, "line {}: there was no request", number);
      file.steps.back().status = static_cast<unsigned>(std::stoul(title));
      into = &file.steps.back().expected;
    } else {
      Step& step = file.steps.emplace_back();
      const size_t space = title.find(' ');
      step.method = title.substr(0, space);
      step.target = title.substr(space + 1);
      step.line = number;
      into = &step.body;
    }
  }
  for (std::string& answer : file.answers)
    if (answer.ends_with('\n')) answer.pop_back();
  return file;
}

std::string mismatch(const json::value& expected, const json::value& got, const std::string& place) {
  if (expected.is_string() && expected.get_string() == "*") return {};
  const auto differ = [&] {
    return place + " is " + json::serialize(got).substr(0, 300) + ", expected " +
           json::serialize(expected).substr(0, 300);
  };
  if (const json::object* members = expected.if_object()) {
    if (!got.is_object()) return differ();
    for (const auto& [key, value] : *members) {
      const std::string here = place + "." + std::string(key);
      const json::value* there = got.get_object().if_contains(key);
      if (value.is_string() && value.get_string() == "absent") {
        if (there) return here + " is there: " + json::serialize(*there).substr(0, 300);
        continue;
      }
      if (!there) return here + " is missing";
      if (std::string problem = mismatch(value, *there, here); !problem.empty()) return problem;
    }
    return {};
  }
  if (const json::array* items = expected.if_array()) {
    if (!got.is_array() || got.get_array().size() != items->size()) return differ();
    for (size_t i = 0; i < items->size(); ++i)
      if (std::string problem = mismatch((*items)[i], got.get_array()[i], place + "[" + std::to_string(i) + "]");
          !problem.empty())
        return problem;
    return {};
  }
  if (expected.is_number() && got.is_number())
    return expected.to_number<double>() == got.to_number<double>() ? std::string() : differ();
  return expected == got ? std::string() : differ();
}

}  // namespace gossamer::server
