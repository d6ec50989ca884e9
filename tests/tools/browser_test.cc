#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "tools/browser_tool.h"
#include "tools/search_results.h"
#include "tools/web_site.h"

namespace gossamer::tools {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Browser : public ::testing::Test {
 protected:
  void begin(bool allows_private, const std::string& search = "") {
    BrowserOptions options;
    options.search_url = search;
    options.pages.seconds = 5;
    options.pages.most_bytes = 1 << 16;
    if (allows_private) options.pages.allows_address = [](const sockaddr_storage&) { return true; };
    Result<std::shared_ptr<Tool>> tool = make_browser_tool(options);
    ASSERT_TRUE(tool.ok()) << tool.error().message;
    tool_ = *tool;
    session_ = tool_->begin();
  }
  ToolResult call(const std::string& function, const json::object& arguments) {
    CallLimits limits;
    limits.deadline = Clock::now() + std::chrono::seconds(20);
    return session_->call("browser." + function, json::serialize(arguments), limits, never_);
  }

  WebSite site_;
  Cancellation never_;
  std::shared_ptr<Tool> tool_;
  std::unique_ptr<ToolSession> session_;
};

TEST_F(Browser, SearchOpenFindAsTheModelKnowsThem) {
  site_.add("/search",
            R"({"results": [{"title": "First", "url": ")" + site_.address() +
                R"(/first", "content": "about <b>it</b>"}, {"title": "Bad", "url": "javascript:x"}]})",
            "application/json");
  site_.add("/first", "<title>The first</title><p>Alpha</p><p>Beta <a href='/second'>more</a></p>");
  site_.add("/second", "plain", "text/plain");
  begin(true, site_.address() + "/search?q={query}&format=json");
  const ToolResult found = call("search", {{"query", "a b&c"}});
  EXPECT_EQ(site_.last_query(), "q=a%20b%26c&format=json");
  EXPECT_THAT(found.text, StartsWith("[0] a b&c (search)\n**viewing lines [0 - 1] of 1**\n\nL0: 【0†First】 "));
  EXPECT_THAT(found.text, HasSubstr("\nL1: about it"));
  EXPECT_EQ(found.action.at("query").as_string(), "a b&c");
  const ToolResult opened = call("open", {{"id", 0}});
  EXPECT_EQ(opened.text, "[1] The first (" + site_.address() +
                             "/first)\n**viewing lines [0 - 2] of 2**\n\nL0: Alpha\nL1: \nL2: Beta 【0†more】");
  EXPECT_EQ(opened.action.at("type").as_string(), "open_page");
  const ToolResult match = call("find", {{"pattern", "BETA"}});
  EXPECT_THAT(match.text, HasSubstr("Find results for text: `BETA` in `The first`"));
  EXPECT_THAT(match.text, HasSubstr("L0: # 【0†match at L2】\nL1: Beta more"));
  EXPECT_THAT(call("open", {{"id", 0}, {"cursor", 1}}).text, HasSubstr("L0: plain"));
  EXPECT_THAT(call("open", {{"cursor", 1}, {"loc", 2}, {"num_lines", 1}}).text,
              HasSubstr("viewing lines [2 - 2] of 2"));
}

TEST_F(Browser, MistakesAreTexts) {
  begin(true);
  EXPECT_TRUE(call("find", {{"pattern", "x"}}).failed);
  EXPECT_TRUE(call("open", {{"id", 3}}).failed);
  EXPECT_TRUE(call("open", {{"cursor", 9}}).failed);
  EXPECT_THAT(call("search", {{"query", "x"}}).text, HasSubstr("no search service"));
  EXPECT_TRUE(call("open", {{"id", "not an address"}}).failed);
  EXPECT_TRUE(call("open", {{"id", "file:///etc/passwd"}}).failed);
  EXPECT_THAT(call("open", {{"id", site_.address() + "/missing"}}).text, HasSubstr("404"));
  EXPECT_TRUE(session_->call("browser.open", "no json", {}, never_).failed);
  EXPECT_TRUE(session_->call("browser.fly", "{}", {}, never_).failed);
  site_.add("/image", "x", "image/png");
  EXPECT_THAT(call("open", {{"id", site_.address() + "/image"}}).text, HasSubstr("image/png"));
}

TEST_F(Browser, ThisMachineIsRefused) {
  begin(false);
  site_.add("/", "secret");
  const std::string port = site_.address().substr(site_.address().rfind(':'));
  for (const std::string host : {"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433",
                                 "0x7f.1", "169.254.169.254", "10.0.0.1"}) {
    const ToolResult result = call("open", {{"id", "http://" + host + port + "/"}});
    EXPECT_TRUE(result.failed) << host;
    EXPECT_EQ(result.text.find("secret"), std::string::npos) << host;
  }
}

constexpr int kRefused = 0, kReached = 1, kNoNetwork = 2;

/// In a network of its own, where 8.8.4.4 is this machine.
[[noreturn]] void open_a_public_address_of_this_machine() {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) std::_Exit(kNoNetwork);
  const int device = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq up{}, own{};
  std::strcpy(up.ifr_name, "lo");
  up.ifr_flags = IFF_UP | IFF_RUNNING;
  std::strcpy(own.ifr_name, "lo:1");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, "8.8.4.4", &address.sin_addr);
  std::memcpy(&own.ifr_addr, &address, sizeof address);
  if (ioctl(device, SIOCSIFFLAGS, &up) != 0 || ioctl(device, SIOCSIFADDR, &own) != 0) std::_Exit(kNoNetwork);
  close(device);

  WebSite site("0.0.0.0");
  site.add("/", "secret", "text/plain");
  const std::string page = "http://8.8.4.4" + site.address().substr(site.address().rfind(':')) + "/";
  const auto open = [&](BrowserOptions options) {
    CallLimits limits;
    limits.deadline = Clock::now() + std::chrono::seconds(20);
    const Result<std::shared_ptr<Tool>> tool = make_browser_tool(std::move(options));
    return (*tool)->begin()->call("browser.open", R"({"id": ")" + page + R"("})", limits, Cancellation()).text;
  };
  BrowserOptions anywhere;
  anywhere.pages.allows_address = [](const sockaddr_storage&) { return true; };
  if (open(anywhere).find("secret") == std::string::npos) std::_Exit(kNoNetwork);
  std::_Exit(open({}).find("secret") == std::string::npos ? kRefused : kReached);
}

TEST(BrowserDeathTest, APublicAddressOfThisMachineIsRefused) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of one thread, which may have a network of its own
  int code = -1;
  const auto ended = [&](int status) {
    code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return code == kRefused || code == kNoNetwork;
  };
  EXPECT_EXIT(open_a_public_address_of_this_machine(), ended, "");
  if (code == kNoNetwork) GTEST_SKIP() << "no network of its own here (user namespaces)";
}

/// A page that may be opened leads to one that may not: each address is looked at.
TEST(Fetch, RedirectsAreLookedAtAgain) {
  WebSite outside, inside;
  inside.add("/", "secret");
  outside.redirect("/", inside.address() + "/");
  const std::string inside_port = inside.address().substr(inside.address().rfind(':') + 1);
  int asked = 0;
  FetchOptions options;
  options.allows_address = [&](const sockaddr_storage&) { return ++asked == 1; };
  const Result<FetchedPage> page =
      fetch_page(outside.address() + "/", options, Clock::now() + std::chrono::seconds(10), Cancellation());
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(page.error().message, HasSubstr(inside_port));
}

TEST(Fetch, CutsWhatIsLongAndEndlessRedirects) {
  WebSite site;
  site.add("/long", std::string(1 << 20, 'x'), "text/plain");
  site.redirect("/loop", "/loop");
  FetchOptions options;
  options.most_bytes = 1000;
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  const Result<FetchedPage> cut = fetch_page(site.address() + "/long", options, deadline, Cancellation());
  ASSERT_TRUE(cut.ok()) << cut.error().message;
  EXPECT_TRUE(cut->is_cut);
  EXPECT_EQ(cut->body.size(), 1000u);
  EXPECT_THAT(fetch_page(site.address() + "/loop", options, deadline, Cancellation()).error().message,
              HasSubstr("redirects"));
  Cancellation cancelled;
  cancelled.request();
  EXPECT_FALSE(fetch_page(site.address() + "/long", options, deadline, cancelled).ok());
}

TEST(SearchResults, OfWhateverService) {
  const auto links = [](std::string body) {
    return search_page({"http://s/", "application/json", std::move(body), false}, 10).links;
  };
  EXPECT_EQ(links(R"({"web": {"results": [{"url": "http://a/", "title": "A", "description": "d"}]}})").size(), 1u);
  EXPECT_EQ(links(R"([{"link": "http://a/", "name": "A", "snippet": "d"}])").size(), 1u);
  EXPECT_EQ(links(R"({"results": 5})").size(), 0u);
  EXPECT_EQ(links("<a href='http://a/'>A</a>").size(), 1u);
  EXPECT_EQ(search_address("http://s/?q=", "ä"), "http://s/?q=%C3%A4");
}

}  // namespace
}  // namespace gossamer::tools
