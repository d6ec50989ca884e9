#include "cli/line_editor.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cwchar>
#include <iostream>

#include "cli/history_file.h"
#include "cli/interrupt.h"

namespace gossamer::cli {
namespace {

/// libedit's source of characters: as its own, but Ctrl-C ends the reading (its own would go on).
int read_character(EditLine* editor, wchar_t* out) {
  std::mbstate_t state = {};
  while (InterruptGuard::wait_readable(STDIN_FILENO)) {
    char byte;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return static_cast<int>(got);
    const size_t taken = std::mbrtowc(out, &byte, 1, &state);
    if (taken == static_cast<size_t>(-2)) continue;  // more bytes belong to this character
    if (taken == static_cast<size_t>(-1)) *out = L'\uFFFD';
    return 1;
  }
  return -1;
}

}  // namespace

struct LineEditor::Terminal {
  explicit Terminal(const std::string& history_path) : file(history_path) {
    if (!std::setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    HistEvent event;
    history(lines, &event, H_SETSIZE, static_cast<int>(HistoryFile::kKeptLines));
    history(lines, &event, H_SETUNIQUE, 1);
    for (const std::string& line : file.load()) history(lines, &event, H_ENTER, line.c_str());
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT, &Terminal::show_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, lines);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_wset(editor, EL_GETCFN, read_character);
    el_source(editor, nullptr);  // the user's ~/.editrc
  }
  ~Terminal() {
    el_end(editor);
    history_end(lines);
  }

  static char* show_prompt(EditLine* editor) {
    Terminal* self;
    el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }

  HistoryFile file;
  History* lines = history_init();
  EditLine* editor = el_init("gossamer", stdin, stdout, stderr);
  std::string prompt;
};

LineEditor::LineEditor(const std::string& history_file) {
  if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) terminal_ = std::make_unique<Terminal>(history_file);
}

LineEditor::~LineEditor() = default;

LineEditor::Line LineEditor::read(const std::string& prompt) {
  std::string text;
  if (!terminal_) {
    if (std::getline(std::cin, text)) return {Outcome::kLine, text};
    return {InterruptGuard::requested() ? Outcome::kInterrupted : Outcome::kEndOfInput, {}};
  }
  terminal_->prompt = prompt;
  // Before the prompt shows: libedit itself would do it after, and a Ctrl-D that comes in between is lost.
  el_set(terminal_->editor, EL_PREP_TERM, 1);
  int length = 0;
  const char* line = el_gets(terminal_->editor, &length);
  if (InterruptGuard::requested()) {
    el_reset(terminal_->editor);
    std::cout << std::endl;
    return {Outcome::kInterrupted, {}};
  }
  if (!line) {
    std::cout << std::endl;
    return {Outcome::kEndOfInput, {}};
  }
  text.assign(line, static_cast<size_t>(length));
  if (text.ends_with('\n')) text.pop_back();
  return {Outcome::kLine, text};
}

void LineEditor::remember(const std::string& line) {
  if (!terminal_ || line.empty()) return;
  HistEvent event;
  history(terminal_->lines, &event, H_ENTER, line.c_str());
  terminal_->file.append(line);
}

}  // namespace gossamer::cli
