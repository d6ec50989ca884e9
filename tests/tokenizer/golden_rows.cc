#include "tokenizer/golden_rows.h"

#include "base/mmap_file.h"

#ifdef GOSSAMER_HAVE_ZLIB
#include <zlib.h>
#endif

namespace gossamer::test {
namespace {

std::optional<std::string> read_text(const std::string& path) {
  if (!path.ends_with(".gz")) {
    auto text = read_file(path, uint64_t{1} << 30);
    return text.ok() ? std::optional(std::move(text).value()) : std::nullopt;
  }
#ifdef GOSSAMER_HAVE_ZLIB
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return std::nullopt;
  std::string text;
  char chunk[65536];
  int size;
  while ((size = gzread(file, chunk, sizeof chunk)) > 0) text.append(chunk, static_cast<size_t>(size));
  gzclose(file);
  return size == 0 ? std::optional(text) : std::nullopt;
#else
  return std::nullopt;
#endif
}

}  // namespace

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::vector<uint32_t> ids_of(const json::object& row, std::string_view key) {
  std::vector<uint32_t> ids;
  for (const json::value& id : row.at(key).as_array()) ids.push_back(static_cast<uint32_t>(id.as_int64()));
  return ids;
}

std::optional<std::vector<json::object>> read_rows(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  std::vector<json::object> rows;
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    rows.push_back(json::parse(std::string_view(*text).substr(begin, end - begin)).as_object());
    begin = end + 1;
  }
  return rows;
}

}  // namespace gossamer::test
