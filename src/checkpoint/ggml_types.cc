#include "checkpoint/ggml_types.h"

#include <iterator>

namespace gossamer {
namespace {

/// Indexed by ggml's number. Types that the engine does not compute with are here so that a file that holds one can be
/// checked and the type named. An empty name: a number that was given up.
constexpr GgmlType kTypes[] = {
    {"F32", 1, 4, Dtype::kF32},                                      // 0
    {"F16", 1, 2, Dtype::kF16},                                      // 1
    {"Q4_0", 32, 18, std::nullopt},                                  // 2
    {"Q4_1", 32, 20, std::nullopt},                                  // 3
    {"MXFP4 (type 4, Ollama's first form)", 32, 17, std::nullopt},   // 4
    {"", 0, 0, std::nullopt},                                        // 5
    {"Q5_0", 32, 22, std::nullopt},                                  // 6
    {"Q5_1", 32, 24, std::nullopt},                                  // 7
    {"Q8_0", kBlockElements, kQ8BlockBytes, Dtype::kQ8_0},           // 8
    {"Q8_1", 32, 36, std::nullopt},                                  // 9
    {"Q2_K", 256, 84, std::nullopt},                                 // 10
    {"Q3_K", 256, 110, std::nullopt},                                // 11
    {"Q4_K", 256, 144, std::nullopt},                                // 12
    {"Q5_K", 256, 176, std::nullopt},                                // 13
    {"Q6_K", 256, 210, std::nullopt},                                // 14
    {"Q8_K", 256, 292, std::nullopt},                                // 15
    {"IQ2_XXS", 256, 66, std::nullopt},                              // 16
    {"IQ2_XS", 256, 74, std::nullopt},                               // 17
    {"IQ3_XXS", 256, 98, std::nullopt},                              // 18
    {"IQ1_S", 256, 50, std::nullopt},                                // 19
    {"IQ4_NL", 32, 18, std::nullopt},                                // 20
    {"IQ3_S", 256, 110, std::nullopt},                               // 21
    {"IQ2_S", 256, 82, std::nullopt},                                // 22
    {"IQ4_XS", 256, 136, std::nullopt},                              // 23
    {"I8", 1, 1, std::nullopt},                                      // 24
    {"I16", 1, 2, std::nullopt},                                     // 25
    {"I32", 1, 4, std::nullopt},                                     // 26
    {"I64", 1, 8, std::nullopt},                                     // 27
    {"F64", 1, 8, std::nullopt},                                     // 28
    {"IQ1_M", 256, 56, std::nullopt},                                // 29
    {"BF16", 1, 2, Dtype::kBf16},                                    // 30
    {"", 0, 0, std::nullopt},                                        // 31
    {"", 0, 0, std::nullopt},                                        // 32
    {"", 0, 0, std::nullopt},                                        // 33
    {"TQ1_0", 256, 54, std::nullopt},                                // 34
    {"TQ2_0", 256, 66, std::nullopt},                                // 35
    {"", 0, 0, std::nullopt},                                        // 36
    {"", 0, 0, std::nullopt},                                        // 37
    {"", 0, 0, std::nullopt},                                        // 38
    {"MXFP4", kBlockElements, kMxfp4GgmlBlockBytes, Dtype::kMxfp4},  // 39
};

}  // namespace

const GgmlType* find_ggml_type(uint32_t number) {
  if (number >= std::size(kTypes) || kTypes[number].name.empty()) return nullptr;
  return &kTypes[number];
}

}  // namespace gossamer
