#include "checkpoint/gguf.h"

#include <algorithm>
#include <unordered_set>

#include "base/checked_math.h"
#include "checkpoint/byte_reader.h"
#include "checkpoint/ggml_types.h"
#include "checkpoint/shape.h"

namespace gossamer {
namespace {

constexpr uint32_t kMagic = 0x46554747;         // "GGUF"
constexpr uint32_t kMaxDimensions = 4;          // ggml has no more
constexpr uint64_t kMinValueBytes = 8 + 4 + 1;  // empty key, type, one byte: bounds the counts by the size of the file
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;
constexpr uint64_t kMinStringBytes = 8;
constexpr uint64_t kDefaultAlignment = 32, kMaxAlignment = 1 << 20;

/// For sentences, in the order of GgufType.
constexpr std::string_view kTypeNames[] = {"uint8",   "int8",    "uint16", "int16",  "uint32", "int32",  "float32",
                                           "boolean", "strings", "arrays", "uint64", "int64",  "float64"};

/// Bytes of a scalar that is not a string; nothing for strings, arrays and unknown types.
std::optional<uint64_t> scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return std::nullopt;
}

/// The next element of integer type `type`; nothing for other types. Values above the int64 range come back negative.
std::optional<int64_t> read_integer(ByteReader& reader, GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kBool:
      return reader.read<uint8_t>();
    case GgufType::kInt8:
      return reader.read<int8_t>();
    case GgufType::kUint16:
      return reader.read<uint16_t>();
    case GgufType::kInt16:
      return reader.read<int16_t>();
    case GgufType::kUint32:
      return reader.read<uint32_t>();
    case GgufType::kInt32:
      return reader.read<int32_t>();
    case GgufType::kUint64:
    case GgufType::kInt64:
      return reader.read<int64_t>();
    default:
      return std::nullopt;
  }
}

/// Walks one file from its start. Each method reads one part or returns the Error.
class Parser {
 public:
  Parser(std::span<const std::byte> file, std::string_view what) : file_(file), what_(what), reader_(file) {}

  Result<GgufHeader> parse() {
    GOS_TRY_STATUS(read_counts());
    GOS_TRY_STATUS(read_values());
    GOS_TRY_STATUS(read_tensors());
    GOS_TRY_STATUS(place_tensors());
    return std::move(header_);
  }

 private:
  Error cut_short(std::string_view reading) const {
    return make_error(ErrorCode::kInvalidInput,
                      "{}: the file ends at byte {} inside {}: it is cut short or corrupt; download it again", what_,
                      file_.size(), reading);
  }

  Status read_counts() {
    const auto magic = reader_.read<uint32_t>();
    if (magic != kMagic)
      return make_error(ErrorCode::kInvalidInput, "{} is not a GGUF file: it does not start with \"GGUF\"", what_);
    const auto version = reader_.read<uint32_t>();
    const auto tensors = reader_.read<uint64_t>(), values = reader_.read<uint64_t>();
    if (!version || !tensors || !values) return cut_short("its header");
    if (*version < 2 || *version > 3)
      return make_error(ErrorCode::kUnsupported, "{} is {}, but gossamer reads versions 2 and 3 in little endian",
                        what_,
                        *version % 65536 == 0 ? "a big-endian GGUF file" : fmt::format("GGUF version {}", *version));
    if (*tensors > reader_.remaining() / kMinTensorBytes || *values > reader_.remaining() / kMinValueBytes)
      return make_error(ErrorCode::kInvalidInput,
                        "{}: the header claims {} tensors and {} values, more than the file's {} bytes can hold", what_,
                        *tensors, *values, file_.size());
    header_.version = *version;
    num_tensors_ = *tensors;
    num_values_ = *values;
    return {};
  }

  Status read_values() {
    std::unordered_set<std::string_view> seen;
    for (uint64_t i = 0; i < num_values_; ++i) {
      const auto key = reader_.read_string();
      if (!key) return cut_short(fmt::format("the key of value {} of {}", i + 1, num_values_));
      if (!seen.insert(*key).second)
        return make_error(ErrorCode::kInvalidInput, "{}: the key {} stands there twice", what_, excerpt(*key));
      GOS_TRY(GgufValue value, read_value(*key));
      header_.values.emplace_back(*key, value);
    }
    return {};
  }

  Result<GgufValue> read_value(std::string_view key) {
    GgufValue value;
    GOS_TRY(value.type, read_type(key));
    if (value.type == GgufType::kArray) {
      value.is_array = true;
      GOS_TRY(value.type, read_type(key));
      if (value.type == GgufType::kArray)
        return make_error(ErrorCode::kUnsupported, "{}: {} is an array of arrays, which no gpt-oss model has", what_,
                          excerpt(key));
      const auto count = reader_.read<uint64_t>();
      if (!count) return cut_short(excerpt(key));
      value.count = *count;
    }
    const uint64_t begin = reader_.position();
    const uint64_t least_bytes = scalar_bytes(value.type).value_or(kMinStringBytes);
    if (value.count > reader_.remaining() / least_bytes)
      return make_error(ErrorCode::kInvalidInput, "{}: {} claims {} elements, but {} bytes are left in the file", what_,
                        excerpt(key), value.count, reader_.remaining());
    if (value.type == GgufType::kString) {
      for (uint64_t i = 0; i < value.count; ++i)
        if (!reader_.read_string()) return cut_short(fmt::format("string {} of {}", i + 1, excerpt(key)));
    } else {
      (void)reader_.read_bytes(value.count * least_bytes);  // the check above says that they are there
    }
    value.bytes = file_.subspan(begin, reader_.position() - begin);
    return value;
  }

  Result<GgufType> read_type(std::string_view key) {
    const auto type = reader_.read<uint32_t>();
    if (!type) return cut_short(excerpt(key));
    if (*type > static_cast<uint32_t>(GgufType::kFloat64))
      return make_error(ErrorCode::kInvalidInput, "{}: {} has the unknown type {}; types 0 to 12 are known", what_,
                        excerpt(key), *type);
    return static_cast<GgufType>(*type);
  }

  Status read_tensors() {
    std::unordered_set<std::string_view> seen;
    header_.tensors.reserve(num_tensors_);
    for (uint64_t i = 0; i < num_tensors_; ++i) {
      const auto name = reader_.read_string();
      if (!name) return cut_short(fmt::format("the name of tensor {} of {}", i + 1, num_tensors_));
      if (!seen.insert(*name).second)
        return make_error(ErrorCode::kInvalidInput, "{}: tensor {} stands there twice", what_, excerpt(*name));
      GOS_TRY(GgufTensor tensor, read_tensor(*name));
      header_.tensors.push_back(std::move(tensor));
    }
    return {};
  }

  /// One tensor description; `begin` still counts from the start of the data.
  Result<GgufTensor> read_tensor(std::string_view name) {
    GgufTensor tensor;
    tensor.name = name;
    const auto dimensions = reader_.read<uint32_t>();
    if (!dimensions) return cut_short(excerpt(name));
    if (*dimensions > kMaxDimensions)
      return make_error(ErrorCode::kInvalidInput, "{}: tensor {} has {} dimensions, more than the {} of ggml", what_,
                        excerpt(name), *dimensions, kMaxDimensions);
    for (uint32_t i = 0; i < *dimensions; ++i) {
      const auto dimension = reader_.read<uint64_t>();
      if (!dimension) return cut_short(excerpt(name));
      tensor.shape.insert(tensor.shape.begin(), *dimension);
    }
    const auto type = reader_.read<uint32_t>();
    const auto offset = reader_.read<uint64_t>();
    if (!type || !offset) return cut_short(excerpt(name));
    tensor.type = *type;
    tensor.begin = *offset;
    GOS_TRY(tensor.size_bytes, tensor_bytes(tensor));
    return tensor;
  }

  Result<uint64_t> tensor_bytes(const GgufTensor& tensor) const {
    const GgmlType* type = find_ggml_type(tensor.type);
    if (!type)
      return make_error(ErrorCode::kUnsupported, "{}: tensor {} has the unknown type {}", what_, excerpt(tensor.name),
                        tensor.type);
    const uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % type->block_elements != 0)
      return make_error(ErrorCode::kInvalidInput, "{}: tensor {} has rows of {} elements, but {} comes in blocks of {}",
                        what_, excerpt(tensor.name), row, type->name, type->block_elements);
    const auto elements = element_count(tensor.shape);
    const auto bytes = elements ? checked_mul(*elements / type->block_elements, type->block_bytes) : std::nullopt;
    if (!bytes)
      return make_error(ErrorCode::kInvalidInput, "{}: tensor {} of shape {} is larger than any file", what_,
                        excerpt(tensor.name), shape_text(tensor.shape));
    return *bytes;
  }

  Result<uint64_t> alignment() const {
    const GgufValue* value = header_.find("general.alignment");
    if (!value) return kDefaultAlignment;
    const auto alignment = value->as_uint();
    if (!alignment || !std::has_single_bit(*alignment) || *alignment > kMaxAlignment)
      return make_error(ErrorCode::kInvalidInput, "{}: general.alignment is {}, not a power of two up to {}", what_,
                        value->text(), kMaxAlignment);
    return *alignment;
  }

  /// Offsets become positions in the file; tensors are sorted and must not overlap.
  Status place_tensors() {
    GOS_TRY(const uint64_t align, alignment());
    const uint64_t data_begin = (reader_.position() + align - 1) / align * align;
    std::ranges::sort(header_.tensors, {},
                      [](const GgufTensor& tensor) { return std::pair(tensor.begin, tensor.size_bytes); });
    uint64_t covered = 0;
    const GgufTensor* before = nullptr;
    for (GgufTensor& tensor : header_.tensors) {
      const std::string name = excerpt(tensor.name);
      const uint64_t offset = tensor.begin;
      if (offset % align != 0)
        return make_error(ErrorCode::kInvalidInput,
                          "{}: tensor {} starts at offset {}, which is no multiple of the alignment {}", what_, name,
                          offset, align);
      const auto end = checked_add(offset, tensor.size_bytes);
      const auto file_end = end ? checked_add(*end, data_begin) : std::nullopt;
      if (!file_end || *file_end > file_.size())
        return make_error(ErrorCode::kInvalidInput,
                          "{}: tensor {} takes {} bytes at offset {} of the data, which starts at byte {}, but the "
                          "file has {} bytes: it is cut short "
                          "or corrupt; download it again",
                          what_, name, tensor.size_bytes, offset, data_begin, file_.size());
      if (offset < covered)
        return make_error(ErrorCode::kInvalidInput,
                          "{}: tensor {} starts at offset {}, inside tensor {}, which ends at {}", what_, name, offset,
                          excerpt(before->name), covered);
      covered = *end;
      tensor.begin = offset + data_begin;
      before = &tensor;
    }
    return {};
  }

  std::span<const std::byte> file_;
  std::string_view what_;
  ByteReader reader_;
  GgufHeader header_;
  uint64_t num_tensors_ = 0, num_values_ = 0;
};

}  // namespace

std::optional<uint64_t> GgufValue::as_uint() const {
  if (is_array) return std::nullopt;
  ByteReader reader(bytes);
  const auto value = read_integer(reader, type);
  if (!value || (*value < 0 && type != GgufType::kUint64)) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

std::optional<double> GgufValue::as_number() const {
  if (is_array) return std::nullopt;
  ByteReader reader(bytes);
  if (type == GgufType::kFloat32) return reader.read<float>();
  if (type == GgufType::kFloat64) return reader.read<double>();
  if (type == GgufType::kUint64) return static_cast<double>(*reader.read<uint64_t>());
  if (const auto value = read_integer(reader, type)) return static_cast<double>(*value);
  return std::nullopt;
}

std::optional<std::string_view> GgufValue::as_string() const {
  if (is_array || type != GgufType::kString) return std::nullopt;
  return ByteReader(bytes).read_string();
}

std::optional<std::vector<std::string_view>> GgufValue::as_strings() const {
  if (!is_array || type != GgufType::kString) return std::nullopt;
  ByteReader reader(bytes);
  std::vector<std::string_view> strings;
  strings.reserve(count);
  for (uint64_t i = 0; i < count; ++i) strings.push_back(*reader.read_string());
  return strings;
}

std::optional<std::vector<int64_t>> GgufValue::as_integers() const {
  if (!is_array) return std::nullopt;
  ByteReader reader(bytes);
  std::vector<int64_t> integers;
  integers.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const auto value = read_integer(reader, type);
    if (!value) return std::nullopt;
    integers.push_back(*value);
  }
  return integers;
}

std::string GgufValue::text() const {
  if (is_array) return fmt::format("an array of {} {}", count, kTypeNames[static_cast<size_t>(type)]);
  if (const auto string = as_string()) return fmt::format("\"{}\"", excerpt(*string));
  if (type == GgufType::kFloat32 || type == GgufType::kFloat64) return fmt::format("{:#}", *as_number());
  ByteReader reader(bytes);
  return type == GgufType::kUint64 ? fmt::format("{}", *as_uint()) : fmt::format("{}", *read_integer(reader, type));
}

const GgufValue* GgufHeader::find(std::string_view key) const {
  for (const auto& [name, value] : values)
    if (name == key) return &value;
  return nullptr;
}

Result<GgufHeader> parse_gguf(std::span<const std::byte> file, std::string_view what) {
  return Parser(file, what).parse();
}

}  // namespace gossamer
