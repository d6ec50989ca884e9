#pragma once

namespace gossamer::server {

inline constexpr char kVersion[] = GOSSAMER_VERSION;
/// Of the program that answers, as OpenAI's answers carry it.
inline constexpr char kSystemFingerprint[] = "gossamer-" GOSSAMER_VERSION;

}  // namespace gossamer::server
