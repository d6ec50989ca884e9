/// What code of a model may try: all of it stays inside, and this process is unharmed.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tools/sandboxed.h"

namespace gossamer::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Escape : public Sandboxed {};

/// Processes on this machine whose command line holds `text`.
int count_processes(const std::string& text) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    count += line.find(text) != std::string::npos ? 1 : 0;
  }
  return count;
}

TEST_F(Escape, NetworkIsUnreachable) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const ToolResult result =
      run("import socket\nsocket.create_connection(('127.0.0.1', " + std::to_string(ntohs(address.sin_port)) + "), 5)");
  EXPECT_TRUE(result.failed) << result.text;
  EXPECT_THAT(run("socket.socket()").text, HasSubstr("PermissionError"));
  EXPECT_THAT(run("socket.getaddrinfo('example.com', 80)").text, HasSubstr("gaierror"));
  EXPECT_TRUE(run("socket.socket(socket.AF_UNIX)").failed);
  EXPECT_TRUE(run("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)").failed);
  close(listener);
}

TEST_F(Escape, FilesOutsideAreNotThere) {
  const std::string secret = std::string(::testing::TempDir()) + "/secret_of_the_server";
  std::ofstream(secret) << "secret";
  EXPECT_THAT(run("open('" + secret + "').read()").text, HasSubstr("FileNotFoundError"));
  for (const char* path : {"/etc/passwd", "/etc/shadow", "/root", "/home", "/proc/1/environ", "/proc/self/root", "/sys",
                           "/var", "/run", "/dev/shm", "/dev/mem", "/dev/vda", "/dev/tty", "/dev/fuse"}) {
    const ToolResult result = run(std::string("import os\nos.stat('") + path + "')");
    EXPECT_TRUE(result.failed) << path << ": " << result.text;
  }
  EXPECT_EQ(run("sorted(os.listdir('/'))").text.find("proc"), std::string::npos);
  std::filesystem::remove(secret);
}

TEST_F(Escape, NothingOutsideCanBeWritten) {
  for (const char* path : {"/x", "/usr/x", "/usr/bin/python3", "/usr/lib/x", "/bin/sh", "/dev/x", "/mnt/x"}) {
    const ToolResult result = run(std::string("open('") + path + "', 'ab')");
    EXPECT_TRUE(result.failed) << path;
  }
  EXPECT_TRUE(run("import os\nos.chmod('/usr', 0o777)").failed);
  EXPECT_TRUE(run("os.remove('/usr/bin/env')").failed);
  EXPECT_TRUE(run("os.mknod('/mnt/data/disk', 0o60600, 0xfe00)").failed);
  EXPECT_TRUE(std::filesystem::exists("/usr/bin/env"));
}

TEST_F(Escape, WaysBackToTheOldRootAreClosed) {
  EXPECT_TRUE(run("import os\nos.chroot('/mnt/data')").failed);
  EXPECT_TRUE(run("import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                  "assert libc.mount(b'none', b'/mnt/data', b'tmpfs', 0, None) == 0")
                  .failed);
  EXPECT_TRUE(run("assert libc.unshare(0x10000000) == 0").failed);       // another user namespace
  EXPECT_TRUE(run("assert libc.syscall(272, 0x10000000) == 0").failed);  // the same by its number
  EXPECT_TRUE(run("assert libc.ptrace(0, 0, 0, 0) == 0").failed);
  EXPECT_TRUE(run("assert libc.memfd_create(b'x', 0) >= 0").failed);
  EXPECT_TRUE(run("assert libc.syscall(425, 8, libc.calloc(1, 120)) >= 0").failed);  // io_uring_setup
  EXPECT_THAT(run("os.stat('/mnt/data/../../../../..').st_ino == os.stat('/').st_ino").text, HasSubstr("True"));
  EXPECT_EQ(run("os.getuid()").text, "1000\n");
  EXPECT_TRUE(run("os.setuid(0)").failed);
}

TEST_F(Escape, ForkBombEndsAtTheFirst) {
  const ToolResult result = run("import os\nwhile True:\n    os.fork()");
  EXPECT_THAT(result.text, HasSubstr("PermissionError"));
  EXPECT_TRUE(run("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'echo out'])").failed);
  EXPECT_TRUE(run("import multiprocessing\nmultiprocessing.Process(target=print).start()").failed);
  EXPECT_THAT(run("1 + 1").text, HasSubstr("2"));
}

TEST_F(Escape, ThreadBombIsBounded) {
  const ToolResult result =
      run("import threading, time\nstarted = 0\ntry:\n    for i in range(10000):\n"
          "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n        started += 1\n"
          "except RuntimeError:\n    print('bounded at', started)\nassert started < 100");
  EXPECT_THAT(result.text, HasSubstr("bounded at"));
}

TEST_F(Escape, MemoryBombIsBounded) {
  EXPECT_THAT(run("x = bytearray(2 << 30)").text, HasSubstr("MemoryError"));
  EXPECT_TRUE(run("x = []\nwhile True:\n    x.append(bytearray(1 << 20))").failed);
  EXPECT_THAT(run("x = None\n6 * 7").text, HasSubstr("42"));
}

TEST_F(Escape, FilesInMemoryAreBounded) {
  const ToolResult result =
      run("import itertools\nfor i in itertools.count():\n    with open(f'/mnt/data/{i}', 'wb') as f:\n"
          "        f.write(bytes(8 << 20))");
  EXPECT_TRUE(result.failed);
  EXPECT_TRUE(
      run("import os\nsum(os.path.getsize(f) for f in os.listdir('.')) <= 64 << 20 or 1 / 0").text.find("True") !=
      std::string::npos);
}

TEST_F(Escape, EndlessLoopEndsInTime) {
  const auto begun = Clock::now();
  const ToolResult result = run("while True:\n    pass", 2);
  EXPECT_TRUE(result.failed);
  EXPECT_THAT(result.text, HasSubstr("ended"));
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(10));
  EXPECT_THAT(run("2 + 3").text, HasSubstr("5"));
}

TEST_F(Escape, SignalsThatAreIgnoredDoNotHelp) {
  const ToolResult result =
      run("import signal\nfor s in range(1, 65):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n"
          "    except (OSError, ValueError):\n        pass\nwhile True:\n    pass",
          2);
  EXPECT_TRUE(result.failed);
  EXPECT_EQ(count_processes("signal.signal(s, signal"), 0);
}

TEST_F(Escape, EndlessOutputIsCut) {
  CallLimits limits;
  limits.deadline = in_seconds(2);
  limits.output_bytes = 1000;
  const ToolResult result = session_->call("python", "while True:\n    print('x' * 1000)", limits, cancelled_);
  EXPECT_TRUE(result.failed);
  EXPECT_LT(result.text.size(), 1500u);
}

TEST_F(Escape, EnvironmentOfTheServerIsNotThere) {
  setenv("GOSSAMER_API_KEY", "secret_of_the_server", 1);
  session_ = tool_->begin();
  const ToolResult result = run("import os\nprint(dict(os.environ), os.uname())");
  EXPECT_THAT(result.text, Not(HasSubstr("secret_of_the_server")));
  EXPECT_THAT(result.text, HasSubstr("nodename='sandbox'"));
  EXPECT_THAT(run("open(f'/proc/{os.getppid()}/environ', 'rb').read()").text, HasSubstr("FileNotFoundError"));
  unsetenv("GOSSAMER_API_KEY");
}

TEST_F(Escape, DescriptorsOfTheServerAreClosed) {
  const std::string path = std::string(::testing::TempDir()) + "/open_in_the_server";
  const int open_file = open(path.c_str(), O_CREAT | O_RDWR, 0600);  // not closed by exec
  ASSERT_GE(open_file, 0);
  ASSERT_EQ(write(open_file, "secret", 6), 6);
  session_ = tool_->begin();
  const ToolResult result =
      run("import os, stat\nfound = {}\nfor fd in range(4096):\n    try:\n        found[fd] = "
          "stat.S_IFMT(os.fstat(fd).st_mode)\n"
          "    except OSError:\n        pass\nprint([fd for fd in found if stat.S_ISREG(found[fd])], len(found))");
  EXPECT_THAT(result.text, HasSubstr("[] "));
  EXPECT_THAT(result.text, Not(HasSubstr("Error")));
  close(open_file);
  std::filesystem::remove(path);
}

TEST_F(Escape, OtherProcessesAreOutOfReach) {
  EXPECT_THAT(run("import os\nos.getpid(), os.getppid()").text, HasSubstr("(1, 0)"));
  EXPECT_TRUE(run("os.kill(" + std::to_string(getpid()) + ", 9)").failed);
  EXPECT_TRUE(run("os.kill(-1, 9)").failed);
}

TEST_F(Escape, CancellationEndsTheProcess) {
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    cancelled_.request();
  });
  const auto begun = Clock::now();
  const ToolResult result = run("while True:\n    pass");
  canceller.join();
  EXPECT_TRUE(result.failed);
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(5));
}

TEST_F(Escape, NothingIsLeftBehind) {
  ASSERT_FALSE(run("1").failed);
  EXPECT_GE(count_processes("gossamer-sandbox"), 1);
  session_.reset();
  const auto deadline = in_seconds(5);
  while (count_processes("os.write(1, b") > 0 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(count_processes("os.write(1, b"), 0);
}

TEST_F(Escape, TheServersEndIsTheirs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::thread killer([] {
          std::this_thread::sleep_for(std::chrono::milliseconds(500));
          kill(getpid(), SIGKILL);
        });
        run("while True:\n    pass");
      },
      ::testing::KilledBySignal(SIGKILL), "");
  const auto deadline = in_seconds(5);
  while (count_processes("os.write(1, b") > 0 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(count_processes("os.write(1, b"), 0);
}

TEST(NoIsolation, RefusesAndNamesWhatIsMissing) {
  PythonOptions options = python_options();
  options.launcher = "/nowhere/gossamer-sandbox";
  const Result<std::shared_ptr<Tool>> tool = make_python_tool(options);
  ASSERT_FALSE(tool.ok());
  EXPECT_THAT(tool.error().message, HasSubstr("gossamer-sandbox"));
}

TEST_F(Escape, AnInterpreterThatIsNotThereIsNamed) {
  PythonOptions options = python_options();
  options.interpreter = "/usr/bin/no_such_python";
  const Result<std::shared_ptr<Tool>> tool = make_python_tool(options);
  ASSERT_FALSE(tool.ok());
  EXPECT_THAT(tool.error().message, HasSubstr("no_such_python"));
}

}  // namespace
}  // namespace gossamer::tools
