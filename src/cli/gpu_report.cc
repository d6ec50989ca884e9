#include "cli/gpu_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>

#include "base/mmap_file.h"
#include "base/new_file.h"
#include "harmony/json_text.h"

namespace gossamer::cli {
namespace {

constexpr uint64_t kLargestReportBytes = 16 << 20;

std::string now_text() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

std::string text_of(const json::value& object, std::string_view key) {
  const json::value* value = find_member(object, key);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

double number_of(const json::value& object, std::string_view key) {
  const json::value* value = find_member(object, key);
  return value && value->is_number() ? value->to_number<double>() : 0;
}

/// Whose report it is, for errors: "NVIDIA H100 (revision abc)".
std::string owner_of(const json::value& report) {
  const json::value* device = find_member(report, "device");
  const std::string revision = text_of(report, "revision");
  return fmt::format("{} (revision {})", device ? text_of(*device, "name") : "?", revision.empty() ? "?" : revision);
}

}  // namespace

Result<GpuReport> GpuReport::open(const std::string& file, const json::object& device, const std::string& revision) {
  GpuReport report;
  report.file_ = file == "-" ? "" : file;
  report.content_ = {{"gossamer_gpu_report", kFormat},
                     {"program", "gossamer " GOSSAMER_VERSION ", " GOSSAMER_COMPILER},
                     {"revision", revision.empty() ? json::value(nullptr) : json::value(revision)},
                     {"date", now_text()},
                     {"device", device}};
  if (report.file_.empty()) return report;
  if (!std::filesystem::exists(report.file_)) {
    GOS_TRY_STATUS(report.save());  // whether it can be written is said before minutes are spent
    return report;
  }
  GOS_TRY(const std::string text, read_file(report.file_, kLargestReportBytes));
  GOS_TRY(json::value there, parse_json(text, report.file_));
  if (number_of(there, "gossamer_gpu_report") != kFormat)
    return make_error(ErrorCode::kInvalidInput, "{} is there and no report of this program; name another file",
                      report.file_);
  const json::value mine(report.content_);
  if (owner_of(there) != owner_of(mine))
    return make_error(ErrorCode::kInvalidInput, "{} is a report of {}, and this is {}; name another file", report.file_,
                      owner_of(there), owner_of(mine));
  for (const auto& [name, value] : there.as_object())
    if (!report.content_.contains(name)) report.content_[name] = value;
  GOS_TRY_STATUS(report.save());
  return report;
}

Status GpuReport::put(std::string_view part, json::object content) {
  content_[part] = std::move(content);
  return save();
}

Status GpuReport::put(std::string_view part, std::string_view model, json::object content) {
  json::value& parts = content_[part];
  if (!parts.is_object()) parts = json::object();
  parts.as_object()[model] = std::move(content);
  return save();
}

Status GpuReport::save() const {
  if (file_.empty()) return {};
  const std::string text = harmony::compact_json(content_) + "\n";
  GOS_TRY(NewFile file, NewFile::create(file_, text.size()));
  std::memcpy(file.data(), text.data(), text.size());
  return file.commit();
}

namespace {

/// "450 (52 %)", or "-" where there is no figure.
std::string cell(double value, double of_roof) {
  if (value <= 0) return "-";
  const std::string number = value >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}", value);
  return of_roof > 0 ? fmt::format("{} ({:.0f} %)", number, 100 * of_roof) : number;
}

/// Lines of cells under each other: a line for each row, in the order in which they came.
class Grid {
 public:
  void add(const std::string& row, const std::string& column, std::string text) {
    if (!cells_.contains(row)) rows_.push_back(row);
    if (std::find(columns_.begin(), columns_.end(), column) == columns_.end()) columns_.push_back(column);
    cells_[row][column] = std::move(text);
  }
  void print(const std::string& heading, std::vector<std::string>& lines) const {
    std::string line = fmt::format("{:<22}", heading);
    for (const std::string& column : columns_) line += fmt::format("{:>18}", column);
    lines.push_back(line);
    for (const std::string& row : rows_) {
      line = fmt::format("  {:<20}", row);
      for (const std::string& column : columns_) {
        const auto found = cells_.at(row).find(column);
        line += fmt::format("{:>18}", found == cells_.at(row).end() ? "" : found->second);
      }
      lines.push_back(line);
    }
  }
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::string> rows_, columns_;
  std::map<std::string, std::map<std::string, std::string>> cells_;
};

const json::array* figures_of(const json::value& model) {
  const json::value* figures = find_member(model, "figures");
  return figures ? figures->if_array() : nullptr;
}

void add_model(std::string_view name, const json::value& model, std::vector<std::string>& lines) {
  Grid decode, prefill;
  const json::array* figures = figures_of(model);
  for (const json::value& figure : figures ? *figures : json::array()) {
    const std::string text = cell(number_of(figure, "tokens_per_s"), number_of(figure, "of_roof"));
    if (text_of(figure, "kind") == "prefill")
      prefill.add("prompt", fmt::format("{:.0f} tokens", number_of(figure, "tokens")), text);
    else
      decode.add(fmt::format("{:.0f} at once", number_of(figure, "batch")),
                 fmt::format("behind {:.0f}", number_of(figure, "context")), text);
  }
  const std::string heading = fmt::format("{}, tokens/s", name);
  if (!decode.empty()) decode.print(heading, lines);
  if (!prefill.empty()) prefill.print(heading, lines);
}

void add_bench(std::string_view name, const json::value& model, std::vector<std::string>& lines) {
  Grid kernels;
  const json::array* figures = figures_of(model);
  for (const json::value& figure : figures ? *figures : json::array())
    kernels.add(text_of(figure, "kernel"), fmt::format("{:.0f} rows", number_of(figure, "rows")),
                cell(number_of(figure, "us"), number_of(figure, "of_roof")));
  if (!kernels.empty()) kernels.print(fmt::format("{}, us", name), lines);
}

/// Numbers of an object in a line, as they are named.
std::string numbers_of(const json::value& part) {
  std::string line;
  if (!part.is_object()) return line;
  for (const auto& [name, value] : part.as_object())
    if (value.is_number())
      line += fmt::format("{}{} {:.6g}", line.empty() ? "" : ", ", std::string_view(name), value.to_number<double>());
  return line;
}

}  // namespace

std::vector<std::string> table_of(const json::object& report) {
  std::vector<std::string> lines;
  const json::value whole(report);
  const json::value* device = find_member(whole, "device");
  const std::string revision = text_of(whole, "revision");
  lines.push_back(fmt::format("{}, revision {}, {}; in brackets: of what the card can do",
                              device ? text_of(*device, "name") : "?", revision.empty() ? "not known" : revision,
                              text_of(whole, "date")));
  for (const char* part : {"selftest", "roof"})
    if (const json::value* found = find_member(whole, part))
      lines.push_back(fmt::format("{}: {}", part, numbers_of(*found)));
  const auto add_each = [&](const char* part, auto add) {
    const json::value* models = find_member(whole, part);
    if (!models || !models->is_object()) return;
    for (const auto& [name, model] : models->as_object()) add(name, model, lines);
  };
  add_each("models", add_model);
  add_each("bench", add_bench);
  return lines;
}

}  // namespace gossamer::cli
