#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "load/html_text.h"
#include "load/line_chart.h"
#include "load/report_csv.h"
#include "load/report_html.h"
#include "load/report_json.h"
#include "load/report_table.h"

namespace gossamer::load {
namespace {

constexpr const char* kHostile = "</td><script>alert('1')</script>&\"\x1b[31m";

/// Two requests answered in `seconds`, and one that failed with `message`.
LoadSide side(double seconds, const std::string& message = "the line is full") {
  LoadSide side;
  side.url = "http://here:8000";
  side.plan.request.model = "gpt-oss-20b";
  side.plan.pace.concurrency = 4;
  side.plan.pace.requests = 3;
  side.result.wall_seconds = seconds;
  for (const float latency_ms : {100.f, 200.f}) {
    const RequestRecord record{.outcome = RequestRecord::Outcome::kAnswered,
                               .begin_seconds = 0.25,
                               .latency_ms = latency_ms,
                               .ttft_ms = latency_ms / 2,
                               .input_tokens = 10,
                               .output_tokens = 6,
                               .events = 5};
    side.result.tally.add(record, {10, 20}, "");
    side.result.records.push_back(record);
  }
  const RequestRecord failed{.outcome = RequestRecord::Outcome::kFailed, .error = "HTTP 429", .latency_ms = 1};
  side.result.tally.add(failed, {}, message);
  side.result.records.push_back(failed);
  return side;
}

TEST(ReportTable, SaysWhatCame) {
  const std::string text = report_table({side(2)});
  for (const char* part : {"RESULTS", "http://here:8000", "gpt-oss-20b", "2 answered, 1 failed", "wall 2.00 s",
                           "4 at once", "HTTP 429                     1  the line is full"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("requests +2 +1\\.00 /s"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("tokens out +12 +6\\.00 /s"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("latency +150\\.00 +100\\.\\d\\d +200\\.00 +200\\.00 +200\\.00")))
      << text;
}

TEST(ReportTable, NothingSentByAServerMovesTheCursor) {
  const std::string text = report_table({side(2, kHostile), side(1, kHostile)});
  EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return c < 0x20 && c != '\n'; }), 0);
}

TEST(ReportTable, TwoSidesHaveARatio) {
  const std::string text = report_table({side(2), side(4)});
  EXPECT_TRUE(std::regex_search(text, std::regex("requests/s +1\\.00 +0\\.50 +2\\.00"))) << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("latency p99 \\(ms\\) +200\\.00 +200\\.00 +1\\.00"))) << text;
}

TEST(ReportTable, NothingAtAll) {
  const std::string text = report_table({LoadSide()});
  EXPECT_NE(text.find("0 answered, 0 failed"), std::string::npos);
  EXPECT_EQ(text.find("p50"), std::string::npos) << "no table without a row";
}

TEST(ReportJson, HasTheFigures) {
  const json::object report = report_json({side(2)});
  EXPECT_EQ(report.at("requests"), 2);
  EXPECT_EQ(report.at("failed"), 1);
  EXPECT_EQ(report.at("req_per_s"), 1.0);
  EXPECT_EQ(report.at("output_tok_per_s"), 6.0);
  EXPECT_EQ(report.at("latency_ms").at("max"), 200.0);
  EXPECT_EQ(report.at("itl_ms").at("mean"), 15.0);
  EXPECT_TRUE(report.at("added_ms").is_null()) << "the server told nothing of its own";
  EXPECT_EQ(report.at("errors").at("HTTP 429").at("count"), 1);
  EXPECT_EQ(report.at("plan").at("concurrency"), 4);
  EXPECT_TRUE(report.at("plan").at("rate").is_null());
}

TEST(ReportJson, TwoSidesHaveARatio) {
  const json::object report = report_json({side(2), side(4)});
  EXPECT_EQ(report.at("servers").as_array().size(), 2u);
  EXPECT_EQ(report.at("ratio").at("req_per_s"), 2.0);
  EXPECT_EQ(report.at("ratio").at("ttft_ms.p50"), 1.0);
  EXPECT_FALSE(report.at("ratio").as_object().contains("added_ms.p50"));
}

TEST(ReportCsv, ALineForEachRequest) {
  EXPECT_EQ(report_csv({side(2)}),
            "server,begin_s,latency_ms,ttft_ms,input_tokens,output_tokens,events,outcome,error\n"
            "A,0.250000,100.000,50.000,10,6,5,answered,\n"
            "A,0.250000,200.000,100.000,10,6,5,answered,\n"
            "A,0.000000,1.000,,0,0,0,failed,HTTP 429\n");
  const std::string two = report_csv({side(2), side(4)});
  EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 7);
  EXPECT_NE(two.find("\nB,"), std::string::npos);
}

TEST(ReportHtml, IsAllInOneFile) {
  const std::string html = report_html({side(2), side(4)});
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_FALSE(std::regex_search(html, std::regex("(src|href)\\s*=|@import|url\\("))) << "nothing from elsewhere";
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf"), std::string::npos);
  size_t charts = 0;
  for (size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1)) ++charts;
  EXPECT_EQ(charts, 4u);
}

TEST(ReportHtml, NothingSentByAServerBecomesMarkup) {
  LoadSide hostile = side(2, kHostile);
  hostile.url = hostile.plan.request.model = kHostile;
  const std::string html = report_html({hostile});
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find('\x1b'), std::string::npos);
  EXPECT_NE(html.find("&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot; [31m"), std::string::npos);
}

TEST(ReportHtml, NothingAtAllIsAReportToo) {
  const std::string html = report_html({LoadSide()});
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_NE(html.find("0 answered"), std::string::npos);
}

TEST(LineChart, DrawsItsPointsInside) {
  for (const bool log_x : {false, true}) {
    const std::string svg =
        draw_lines({"a < b", "ms", "%", log_x, {{"one", {{0, 0}, {1, 50}, {1000, 100}}}, {"none", {}}}});
    EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
    const std::regex points("points='([^']+)'");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(svg, found, points));
    EXPECT_EQ(found[1].str().substr(0, 11), "70.0,254.0 ") << "the left lower corner";
    EXPECT_NE(found[1].str().find("740.0,56.0"), std::string::npos) << "the right upper one";
  }
}

TEST(LineChart, OddValues) {
  for (const std::vector<std::pair<double, double>>& points :
       {std::vector<std::pair<double, double>>{{0, 0}}, {{5, 5}}, {{1e-9, 1e-9}}, {{1e12, 1e12}}, {{0, 0}, {0, 1}}})
    for (const bool log_x : {false, true}) {
      const std::string svg = draw_lines({"t", "x", "y", log_x, {{"l", points}}});
      EXPECT_EQ(svg.find("nan"), std::string::npos);
      EXPECT_EQ(svg.find("inf"), std::string::npos);
      EXPECT_LT(svg.size(), 20000u) << "a reasonable number of ticks";
    }
}

}  // namespace
}  // namespace gossamer::load
