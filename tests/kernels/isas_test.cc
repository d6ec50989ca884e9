/// What the processor is asked before an instruction set is used. A processor that lacks one of them cannot be had for
/// a test, so the text of the question is compared with that of the compiler's flags.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace gossamer::testing {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(std::string(GOSSAMER_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What `pattern`'s group matches, everywhere in `text`.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    found.insert((*match)[1].str());
  return found;
}

/// The text after the first `begin` up to the next `end`.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t at = text.find(begin);
  if (at == std::string::npos) return "";
  return text.substr(at + begin.size(), text.find(end, at) - at - begin.size());
}

std::set<std::string> flags_of(const std::string& isa, const std::string& cmake) {
  const std::string words = between(cmake, "set(GOSSAMER_FLAGS_" + isa + " ", ")");
  std::set<std::string> flags = matches(words, "-m([a-z0-9]+)");
  for (const std::string& other : matches(words, "GOSSAMER_FLAGS_([a-z0-9]+)")) flags.merge(flags_of(other, cmake));
  return flags;
}

std::set<std::string> asked_for(const std::string& isa, const std::string& source) {
  const std::string question = between(source, "const bool has_" + isa + " =", ";");
  std::set<std::string> features = matches(question, "__builtin_cpu_supports\\(\"([a-z0-9]+)\"\\)");
  for (const std::string& other : matches(question, "\\bhas_(avx[a-z0-9]+)")) features.merge(asked_for(other, source));
  return features;
}

TEST(InstructionSets, EverythingThatTheyAreCompiledWithIsAskedOfTheProcessor) {
  const std::string cmake = text_of("cmake/isa.cmake"), source = text_of("src/kernels/cpu/isas_x86_64.cc");
  const auto isas = matches(cmake, "set\\(GOSSAMER_FLAGS_([a-z0-9]+)");
  EXPECT_EQ(isas, (std::set<std::string>{"amx", "avx2", "avx512", "avx512bf16"}));
  for (const std::string& isa : isas) EXPECT_EQ(asked_for(isa, source), flags_of(isa, cmake)) << isa;
}

}  // namespace
}  // namespace gossamer::testing
