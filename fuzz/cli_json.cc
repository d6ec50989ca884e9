/// Any text as a tools file and as a line of `gossamer generate`: refused with a sentence, or understood; tools that
/// are understood render.

#include "base/check.h"
#include "cli/json_lines.h"
#include "cli/sampling_options.h"
#include "cli/terminal_text.h"
#include "cli/tools_file.h"
#include "harmony/chat_setup.h"
#include "harmony/render.h"

using namespace gossamer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto tools = cli::parse_tools(text, "the input"); tools.ok()) {
    const harmony::Conversation conversation = harmony::start_conversation({.functions = *tools});
    const auto tokens = harmony::render_conversation(*Tokenizer::o200k_harmony(), conversation, {});
    GOS_CHECK(tokens.ok() || !tokens.error().message.empty());
  } else {
    GOS_CHECK(!tools.error().message.empty());
  }
  if (const auto line = cli::parse_object(text); line.ok()) {
    const auto options = cli::SamplingOptions::from_json(*line);
    if (options.ok()) (void)options->resolve({});
  }
  GOS_CHECK(cli::printable(text).find('\x1b') == std::string::npos);
  return 0;
}
