/// The python tool as a model uses it.

#include <gmock/gmock.h>

#include <thread>

#include "tools/sandboxed.h"

namespace gossamer::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Python : public Sandboxed {};

TEST_F(Python, ShowsWhatIsPrintedAndTheLastValue) {
  EXPECT_EQ(run("print('hello')\n6 * 7").text, "hello\n42\n");
  EXPECT_EQ(run("x = 1").text, "(The code ran and printed nothing.)");
  EXPECT_EQ(run("print('Zürich 北京 🎈')").text, "Zürich 北京 🎈\n");
}

TEST_F(Python, KeepsVariablesAndFilesWithinAnAnswer) {
  EXPECT_FALSE(
      run("import math\ndef area(r):\n    return math.pi * r * r\nopen('/mnt/data/x', 'w').write('kept')").failed);
  EXPECT_THAT(run("round(area(2), 3)").text, StartsWith("12.566"));
  EXPECT_EQ(run("open('x').read()").text, "'kept'\n");
  session_ = tool_->begin();
  EXPECT_THAT(run("area(2)").text, HasSubstr("NameError"));
  EXPECT_THAT(run("open('x')").text, HasSubstr("FileNotFoundError"));
}

TEST_F(Python, ExceptionsAreShownWithTheirLines) {
  const ToolResult result = run("def f():\n    return 1 / 0\nf()");
  EXPECT_TRUE(result.failed);
  EXPECT_THAT(result.text, HasSubstr("ZeroDivisionError"));
  EXPECT_THAT(result.text, HasSubstr("return 1 / 0"));
  EXPECT_EQ(result.text.find("orders"), std::string::npos) << result.text;
  EXPECT_THAT(run("if").text, HasSubstr("SyntaxError"));
}

TEST_F(Python, SaysThatItBeganAnew) {
  EXPECT_TRUE(run("import os\nos._exit(3)").failed);
  const ToolResult result = run("1");
  EXPECT_THAT(result.text, HasSubstr("started anew"));
  EXPECT_THAT(run("2").text, StartsWith("2\n"));
}

TEST_F(Python, OutlivesTheThreadThatBeganIt) {
  std::thread([&] { EXPECT_FALSE(run("x = 5").failed); }).join();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(run("x").text, "5\n");
}

TEST_F(Python, InterpretersAreBounded) {
  PythonOptions options = python_options();
  options.most_interpreters = 2;
  begin(options);
  const std::unique_ptr<ToolSession> second = tool_->begin(), third = tool_->begin();
  const auto six = [&](ToolSession& session, double seconds) {
    return session.call("python", "6", {in_seconds(seconds), 1000}, cancelled_).text;
  };
  EXPECT_EQ(six(*session_, 30), "6\n");
  EXPECT_EQ(six(*second, 30), "6\n");
  EXPECT_THAT(six(*third, 0.3), HasSubstr("all 2 interpreters"));
  EXPECT_EQ(six(*session_, 30), "6\n");  // who has one keeps it
  std::thread leaver([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    session_.reset();
  });
  EXPECT_EQ(six(*third, 30), "6\n");
  leaver.join();
}

TEST_F(Python, ANewInterpreterBringsNoNewProcessorTime) {
  PythonOptions options = python_options();
  options.cpu_seconds = 2;
  begin(options);
  const std::string burn = "import os, time\nwhile time.process_time() < 1.3:\n    pass\n";
  for (const std::string end : {"os._exit(1)", "os.close(1)\nos.close(2)\ntime.sleep(60)"}) {
    session_ = tool_->begin();
    EXPECT_TRUE(run(burn + end, 60).failed);
    EXPECT_THAT(run("1").text, HasSubstr("2 seconds of processor time")) << end;
  }
  session_ = tool_->begin();
  EXPECT_EQ(run("1").text, "1\n");
}

TEST_F(Python, OutputIsTextWhateverIsWritten) {
  EXPECT_EQ(run("import sys\nsys.stdout.buffer.write(b'a\\xff\\0b')\nNone").text, std::string("a\xef\xbf\xbd\0b", 6));
}

TEST_F(Python, TakesCodeInAnObjectToo) {
  EXPECT_EQ(run("{\"code\": \"print(5)\"}").text, "5\n");
}

TEST_F(Python, LeavingAndReadingDoNoHarm) {
  EXPECT_FALSE(run("import sys\nsys.exit()").failed);
  EXPECT_TRUE(run("input()").failed);
  EXPECT_THAT(run("3").text, StartsWith("3\n"));
}

TEST_F(Python, NamesFromTheStandardLibraryWork) {
  EXPECT_EQ(run("import json, re, statistics, decimal, fractions, datetime, random, collections, itertools, asyncio\n"
                "async def f():\n    await asyncio.sleep(0.01)\n    return 9\nasyncio.run(f())")
                .text,
            "9\n");
}

TEST_F(Python, LongOutputIsCut) {
  CallLimits limits;
  limits.output_bytes = 100;
  const ToolResult result = session_->call("python", "print('x' * 5000)\nprint('end')", limits, cancelled_);
  EXPECT_FALSE(result.failed);
  EXPECT_THAT(result.text, HasSubstr("4905 bytes more"));
}

}  // namespace
}  // namespace gossamer::tools
