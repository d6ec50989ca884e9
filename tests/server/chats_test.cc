/// The conversations of tests/server/chats, each against a server whose model says what the file says.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/mmap_file.h"
#include "server/chat_file.h"
#include "server/test_app.h"

namespace gossamer::server {
namespace {

std::vector<std::string> chat_files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GOSSAMER_SOURCE_DIR "/tests/server/chats"))
    if (entry.path().extension() == ".chat") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void expect_events(const std::string& expected, const std::string& stream) {
  const std::vector<std::string> lines = lines_of(expected);
  const std::vector<json::value> events = TestApp::events(stream);
  for (size_t i = 0; i < std::min(lines.size(), events.size()); ++i) {
    const Result<json::value> event = lines[i] == "[DONE]" ? json::value(nullptr) : parse_json(lines[i], "a line");
    ASSERT_TRUE(event.ok()) << event.error().message << "\n" << lines[i];
    EXPECT_EQ(mismatch(*event, events[i]), "") << "event " << i;
  }
  EXPECT_EQ(lines.size(), events.size()) << stream;
}

class Chats : public testing::TestWithParam<std::string> {};

TEST_P(Chats, GoAsWritten) {
  const std::string path = GOSSAMER_SOURCE_DIR "/tests/server/chats/" + GetParam() + ".chat";
  const Result<std::string> text = read_file(path, 1 << 20);
  ASSERT_TRUE(text.ok());
  const Result<ChatFile> file = ChatFile::parse(*text);
  ASSERT_TRUE(file.ok()) << file.error().message;
  TestApp app(file->answers);
  for (const ChatFile::Step& step : file->steps) {
    SCOPED_TRACE(GetParam() + ".chat:" + std::to_string(step.line));
    const auto exchange = app.ask(step.method, step.target, step.body);
    EXPECT_EQ(exchange->response().status, step.status) << exchange->response().body;
    if (exchange->streamed()) {
      expect_events(step.expected, exchange->response().body);
      continue;
    }
    const Result<json::value> expected = parse_json(step.expected, "the expected answer");
    const Result<json::value> got = parse_json(exchange->response().body, "the answer");
    ASSERT_TRUE(expected.ok()) << expected.error().message;
    ASSERT_TRUE(got.ok()) << exchange->response().body;
    EXPECT_EQ(mismatch(*expected, *got), "") << exchange->response().body;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Chats, testing::ValuesIn(chat_files()), [](const auto& name) { return name.param; });

}  // namespace
}  // namespace gossamer::server
