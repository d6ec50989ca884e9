#include "cli/prompt_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gossamer::cli {

bool stdin_has_text() {
  struct stat info;
  return fstat(STDIN_FILENO, &info) == 0 && !S_ISCHR(info.st_mode);
}

Result<std::string> read_prompt(const std::string& words) {
  if (!stdin_has_text()) return words;
  std::string text;
  char buffer[65536];
  ssize_t got;
  while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) != 0) {
    if (got > 0)
      text.append(buffer, static_cast<size_t>(got));
    else if (errno != EINTR)
      return make_error(ErrorCode::kIo, "cannot read standard input: {}", std::strerror(errno));
  }
  text.erase(text.find_last_not_of("\r\n") + 1);
  if (words.empty() || text.empty()) return words + text;
  return words + "\n\n" + text;
}

}  // namespace gossamer::cli
