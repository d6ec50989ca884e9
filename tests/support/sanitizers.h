#pragma once
/// Whether this build looks for races or for memory errors. Everything takes ten times as long then, and what is looked
/// for shows with small shapes as well as with large ones: tests whose point is the numbers may do with fewer of them.

namespace gossamer::testing {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GOSSAMER_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GOSSAMER_SANITIZED
#endif

#ifdef GOSSAMER_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace gossamer::testing
