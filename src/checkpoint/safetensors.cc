#include "checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/checked_math.h"
#include "base/json.h"
#include "checkpoint/json_fields.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the reference reader
constexpr size_t kMaxDimensions = 8;

static_assert(std::endian::native == std::endian::little, "model files are little endian and read in place");

/// Bytes of one element of a safetensors dtype; nothing for a name that is none.
std::optional<uint64_t> element_bytes(std::string_view dtype) {
  for (std::string_view name : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"})
    if (dtype == name) return 1;
  for (std::string_view name : {"I16", "U16", "F16", "BF16"})
    if (dtype == name) return 2;
  for (std::string_view name : {"I32", "U32", "F32"})
    if (dtype == name) return 4;
  for (std::string_view name : {"I64", "U64", "F64"})
    if (dtype == name) return 8;
  return std::nullopt;
}

/// A JSON array of non-negative integers; nothing for anything else.
std::optional<std::vector<uint64_t>> read_counts(const json::value* value) {
  const json::array* array = value ? value->if_array() : nullptr;
  if (!array) return std::nullopt;
  std::vector<uint64_t> counts;
  for (const json::value& element : *array) {
    if (const uint64_t* large = element.if_uint64()) {
      counts.push_back(*large);
    } else if (const int64_t* number = element.if_int64(); number && *number >= 0) {
      counts.push_back(static_cast<uint64_t>(*number));
    } else {
      return std::nullopt;
    }
  }
  return counts;
}

/// One entry of the header, checked by itself and against `data_bytes`; `begin` still counts from the start of the
/// data.
Result<SafetensorsTensor> read_entry(std::string_view key, const json::value& entry, uint64_t data_bytes,
                                     std::string_view what) {
  const std::string name = excerpt(key);
  SafetensorsTensor tensor;
  tensor.name = key;
  const json::value* dtype = find_member(entry, "dtype");
  const auto shape = read_counts(find_member(entry, "shape"));
  const auto offsets = read_counts(find_member(entry, "data_offsets"));
  if (!dtype || !dtype->is_string() || !shape || !offsets || offsets->size() != 2)
    return make_error(
        ErrorCode::kInvalidInput,
        "{}: tensor {} needs a dtype, a shape of non-negative integers and two data_offsets, but the header says {}",
        what, name, json_excerpt(entry));
  tensor.dtype = std::string_view(dtype->get_string());
  tensor.shape = *shape;
  const auto element = element_bytes(tensor.dtype);
  if (!element)
    return make_error(ErrorCode::kUnsupported, "{}: tensor {} has the unknown dtype {}", what, name,
                      excerpt(tensor.dtype));
  if (tensor.shape.size() > kMaxDimensions)
    return make_error(ErrorCode::kInvalidInput, "{}: tensor {} has {} dimensions, more than the {} allowed", what, name,
                      tensor.shape.size(), kMaxDimensions);
  const auto count = element_count(tensor.shape);
  const auto bytes = count ? checked_mul(*count, *element) : std::nullopt;
  if (!bytes)
    return make_error(ErrorCode::kInvalidInput, "{}: tensor {} of shape {} is larger than any file", what, name,
                      shape_text(tensor.shape));
  const uint64_t begin = (*offsets)[0], end = (*offsets)[1];
  if (begin > end)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: tensor {} starts at byte {} of the data and ends before that, at byte {}", what, name, begin,
                      end);
  if (end > data_bytes)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: tensor {} lies at bytes {} to {} of the data, but the file has {} bytes of data: it is cut "
                      "short or corrupt; download it again",
                      what, name, begin, end, data_bytes);
  if (end - begin != *bytes)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: tensor {} of shape {} in {} takes {} bytes, but the header gives it {}", what, name,
                      shape_text(tensor.shape), tensor.dtype, *bytes, end - begin);
  tensor.begin = begin;
  tensor.size_bytes = *bytes;
  return tensor;
}

/// The tensors, sorted by offset, must follow one another without overlap or gap up to the end of the data.
Status check_coverage(const std::vector<SafetensorsTensor>& tensors, uint64_t data_bytes, std::string_view what) {
  uint64_t covered = 0;
  const SafetensorsTensor* before = nullptr;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.begin < covered)
      return make_error(ErrorCode::kInvalidInput,
                        "{}: tensor {} starts at byte {} of the data, inside tensor {}, which ends at byte {}", what,
                        excerpt(tensor.name), tensor.begin, excerpt(before->name), covered);
    if (tensor.begin > covered)
      return make_error(ErrorCode::kInvalidInput,
                        "{}: tensor {} starts at byte {} of the data, but the tensors before it end at byte {}", what,
                        excerpt(tensor.name), tensor.begin, covered);
    covered = tensor.begin + tensor.size_bytes;
    before = &tensor;
  }
  if (covered != data_bytes)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: the tensors end at byte {} of the data, but the file has {} bytes of data", what, covered,
                      data_bytes);
  return {};
}

}  // namespace

Result<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> file, std::string_view what) {
  if (file.size() < kLengthBytes)
    return make_error(ErrorCode::kInvalidInput, "{} has {} bytes, too few for a safetensors file", what, file.size());
  uint64_t header_bytes;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  const uint64_t rest = file.size() - kLengthBytes;
  if (header_bytes > rest || header_bytes > kMaxHeaderBytes)
    return make_error(ErrorCode::kInvalidInput,
                      "{}: the header claims {} bytes, but {} follow and at most {} are allowed: it is cut short or no "
                      "safetensors file",
                      what, header_bytes, rest, kMaxHeaderBytes);
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, header_bytes);
  GOS_TRY(const json::value header, parse_json(text, fmt::format("the header of {}", what)));
  const json::object* entries = header.if_object();
  if (!entries) return make_error(ErrorCode::kInvalidInput, "{}: the header is not a JSON object", what);

  const uint64_t data_begin = kLengthBytes + header_bytes, data_bytes = rest - header_bytes;
  std::vector<SafetensorsTensor> tensors;
  tensors.reserve(entries->size());
  for (const auto& [name, entry] : *entries) {
    if (name == "__metadata__") continue;
    GOS_TRY(SafetensorsTensor tensor, read_entry(name, entry, data_bytes, what));
    tensors.push_back(std::move(tensor));
  }
  std::ranges::sort(tensors, {},
                    [](const SafetensorsTensor& tensor) { return std::pair(tensor.begin, tensor.size_bytes); });
  GOS_TRY_STATUS(check_coverage(tensors, data_bytes, what));
  for (SafetensorsTensor& tensor : tensors) tensor.begin += data_begin;
  return tensors;
}

}  // namespace gossamer
