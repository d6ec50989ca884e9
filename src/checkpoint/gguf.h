#pragma once
/// The header of a GGUF file, versions 2 and 3, little endian: key-value pairs, then tensor descriptions, then
/// (aligned) data. Source: ggml's specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gossamer {

/// The value types, numbered as in the file.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// One value, as a view into the file. The parser has checked that its bytes are there.
struct GgufValue {
  GgufType type = GgufType::kUint8;  ///< of the elements, where it is an array
  bool is_array = false;
  uint64_t count = 1;                ///< elements; 1 for a scalar
  std::span<const std::byte> bytes;  ///< of the value (a string: with its length; an array: its elements)

  /// A scalar integer that is not negative (bool counts); nothing for anything else.
  std::optional<uint64_t> as_uint() const;
  /// A scalar number of any type.
  std::optional<double> as_number() const;
  /// A scalar string.
  std::optional<std::string_view> as_string() const;
  /// All strings of an array of strings, as views into the file.
  std::optional<std::vector<std::string_view>> as_strings() const;
  /// All elements of an array of integers.
  std::optional<std::vector<int64_t>> as_integers() const;

  /// As it may stand in a sentence: "4", "\"yarn\"", "an array of 80 strings".
  std::string text() const;
};

struct GgufTensor {
  std::string_view name;
  uint32_t type = 0;            ///< ggml's number, see ggml_types.h
  std::vector<uint64_t> shape;  ///< row-major: the reverse of the order in the file
  uint64_t begin = 0;           ///< bytes from the start of the file
  uint64_t size_bytes = 0;
};

struct GgufHeader {
  uint32_t version = 0;
  std::vector<std::pair<std::string_view, GgufValue>> values;  ///< in file order
  std::vector<GgufTensor> tensors;                             ///< in the order of their data

  /// nullptr where the file has no such key.
  const GgufValue* find(std::string_view key) const;
};

/// Parses `file` (the whole file); everything returned points into it. `what` names the file in errors.
/// Errors: not GGUF, another version or byte order, counts or lengths that run past the end of the file, unknown types,
/// duplicate keys, nested arrays, tensors of unknown type, unaligned, outside the file, or overlapping.
Result<GgufHeader> parse_gguf(std::span<const std::byte> file, std::string_view what);

}  // namespace gossamer
