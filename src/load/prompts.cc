#include "load/prompts.h"

#include <algorithm>
#include <iterator>
#include <random>

namespace gossamer::load {
namespace {

/// Each is one token of most vocabularies, with the blank before it.
constexpr std::string_view kWords[] = {
    "time",   "year",    "people", "way",      "day",      "man",     "thing",   "woman", "life",  "child",   "world",
    "school", "state",   "family", "student",  "group",    "country", "problem", "hand",  "part",  "place",   "case",
    "week",   "company", "system", "program",  "question", "work",    "number",  "night", "point", "home",    "water",
    "room",   "mother",  "area",   "money",    "story",    "fact",    "month",   "lot",   "right", "study",   "book",
    "eye",    "job",     "word",   "business", "issue",    "side",    "kind",    "head",  "house", "service", "friend",
    "father", "power",   "hour",   "game",     "line",     "end",     "member",  "law",   "car"};

Result<Prompt> prompt_of_object(std::string_view line, std::string_view where) {
  GOS_TRY(json::value value, parse_json(line, where));
  if (json::value* text = value.is_object() ? value.get_object().if_contains("prompt") : nullptr;
      text && text->is_string())
    return Prompt{std::string(text->get_string())};
  if (json::value* messages = value.is_object() ? value.get_object().if_contains("messages") : nullptr;
      messages && messages->is_array() && !messages->get_array().empty())
    return Prompt{"", std::move(messages->get_array())};
  return make_error(ErrorCode::kInvalidInput, "{} is no object with \"prompt\" (a text) or \"messages\" (a list)",
                    where);
}

}  // namespace

Result<std::vector<Prompt>> parse_prompts(std::string_view file_text, std::string_view name) {
  std::vector<Prompt> prompts;
  bool as_json = false;
  for (uint64_t number = 1; !file_text.empty(); ++number) {
    std::string_view line = file_text.substr(0, file_text.find('\n'));
    file_text.remove_prefix(std::min(file_text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == line.npos) continue;
    if (prompts.empty()) as_json = line.starts_with('{');
    if (as_json) {
      GOS_TRY(Prompt prompt, prompt_of_object(line, fmt::format("{} line {}", name, number)));
      prompts.push_back(std::move(prompt));
    } else {
      prompts.push_back({std::string(line)});
    }
  }
  if (prompts.empty())
    return make_error(ErrorCode::kInvalidInput, "{} has no prompt; write one a line, or one JSON object a line", name);
  return prompts;
}

Prompt made_up_prompt(uint32_t tokens, uint64_t seed) {
  std::mt19937_64 random(seed);
  Prompt prompt;
  for (uint32_t i = 0; i < tokens; ++i) {
    if (i > 0) prompt.text += ' ';
    prompt.text += kWords[random() % std::size(kWords)];
  }
  return prompt;
}

}  // namespace gossamer::load
