/// The tools that gpt-oss was trained with. Their wording is part of the model's input: it must not be improved.
#include "harmony/conversation.h"

namespace gossamer::harmony {
namespace {

json::object number_defaulting_to(int value) {
  return {{"type", "number"}, {"default", value}};
}
json::object of_type(const char* type) {
  return {{"type", type}};
}

json::object parameters_of(json::object properties, json::array required) {
  json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

ToolDescription browser_search() {
  return {
      "search", "Searches for information related to `query` and displays `topn` results.",
      parameters_of({{"query", of_type("string")}, {"topn", number_defaulting_to(10)}, {"source", of_type("string")}},
                    {"query"})};
}

ToolDescription browser_open() {
  return {
      "open",
      "Opens the link `id` from the page indicated by `cursor` starting at line number `loc`, showing `num_lines` "
      "lines.\n"
      "Valid link ids are displayed with the formatting: `【{id}†.*】`.\n"
      "If `cursor` is not provided, the most recent page is implied.\n"
      "If `id` is a string, it is treated as a fully qualified URL associated with `source`.\n"
      "If `loc` is not provided, the viewport will be positioned at the beginning of the document or centered on the "
      "most relevant passage, if available.\n"
      "Use this function without `id` to scroll to a new location of an opened page.",
      parameters_of({{"id", {{"type", {"number", "string"}}, {"default", -1}}},
                     {"cursor", number_defaulting_to(-1)},
                     {"loc", number_defaulting_to(-1)},
                     {"num_lines", number_defaulting_to(-1)},
                     {"view_source", {{"type", "boolean"}, {"default", false}}},
                     {"source", of_type("string")}},
                    {})};
}

ToolDescription browser_find() {
  return {"find", "Finds exact matches of `pattern` in the current page, or the page given by `cursor`.",
          parameters_of({{"pattern", of_type("string")}, {"cursor", number_defaulting_to(-1)}}, {"pattern"})};
}

}  // namespace

ToolNamespace ToolNamespace::browser() {
  return {"browser",
          "Tool for browsing.\n"
          "The `cursor` appears in brackets before each browsing display: `[{cursor}]`.\n"
          "Cite information from the tool using the following format:\n"
          "`【{cursor}†L{line_start}(-L{line_end})?】`, for example: `【6†L9-L11】` or `【8†L3】`.\n"
          "Do not quote more than 10 words directly from the tool output.\n"
          "sources=web (default: web)",
          {browser_search(), browser_open(), browser_find()}};
}

ToolNamespace ToolNamespace::python() {
  return {
      "python",
      "Use this tool to execute Python code in your chain of thought. The code will not be shown to the user. This "
      "tool "
      "should be used for internal reasoning, but not for code that is intended to be visible to the user (e.g. when "
      "creating plots, tables, or files).\n\n"
      "When you send a message containing Python code to python, it will be executed in a stateful Jupyter notebook "
      "environment. python will respond with the output of the execution or time out after 120.0 seconds. The drive at "
      "'/mnt/data' can be used to save and persist user files. Internet access for this session is UNKNOWN. Depends on "
      "the cluster.",
      {}};
}

}  // namespace gossamer::harmony
