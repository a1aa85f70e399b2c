// The manual says what the commands say of themselves: every option of `--help` stands in the page of its command, and the page has no others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>
#include <sstream>

#include "tests/integration/cli/cli_world.h"

namespace ring3::test {
namespace {

using Names = std::set<std::string>;

class CliManual : public CliWorld {
 protected:
  /// --long names, and -s ones, with which lines begin: "  -v,--verbose  …" or "`-v, --verbose`", "`-o, --options OPTIONS`".
  static Names options(const std::string& text, std::string_view before) {
    Names names;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(before)) continue;
      std::size_t at = before.size();
      while (at < line.size() && line[at] == '-') {
        std::size_t end = at;
        while (end < line.size() && (line[end] == '-' || std::isalnum(static_cast<unsigned char>(line[end])) != 0)) ++end;
        names.insert(line.substr(at, end - at));
        at = std::min(line.find_first_not_of("`, ", end), line.size());
        if (at == end || line.find(',', end) >= at) break;
      }
    }
    return names;
  }
  static std::string page(const std::string& name) {
    std::ifstream file(std::string(RING3_MAN_DIR "/ring3") + name + ".md");
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
};

TEST_F(CliManual, OptionsAreThoseOfTheCommands) {
  const struct {
    const char *command, *page;
  } kCommands[] = {{"insmod", "-insmod"}, {"replace", "-replace"}, {"rmmod", "-rmmod"}, {"lsmod", "-lsmod"}, {"modinfo", "-lsmod"},
                   {"refs", "-refs"},     {"top", "-top"},         {"dump xlated", "-dump"},   {"logs", "-logs"},   {"run", "-run"},
                   {"mount", "-mount"},   {"verify", "-verify"},   {"hosts", "-hosts"},
                   {"sign", "-sign"}};
  Names all;
  for (const auto& each : kCommands) {
    std::istringstream words(each.command);
    std::vector<std::string> command{std::istream_iterator<std::string>(words), {}};
    const std::string name = command.front();
    command.push_back("--help");
    const Outcome help = ring3(command);
    ASSERT_EQ(help.code, 0) << each.command << help;
    const std::string text = page(each.page);
    ASSERT_NE(text, "") << each.page;
    const Names said = options(help.out, "  ");
    for (const std::string& option : said) {
      if (option == "-h" || option == "--help") continue;
      EXPECT_NE(text.find(option), std::string::npos) << name << " has " << option << ", its page has not";
    }
    for (const std::string& option : options(text, "`")) {
      if (option == "-H" || option == "--host") continue;  // of ring3(1)
      EXPECT_TRUE(said.contains(option)) << name << "'s page has " << option << ", the command has not";
    }
    EXPECT_NE(page("").find("(ring3" + std::string(each.page) + ".md)"), std::string::npos) << each.command << " stands in ring3(1)";
    all.insert(name);
  }
  const Outcome help = ring3({"--help"});
  std::istringstream lines(help.out);
  bool listed = false;
  for (std::string line; std::getline(lines, line);) {
    if (listed && line.empty()) break;
    if (listed) {
      EXPECT_TRUE(all.contains(line.substr(2, line.find(' ', 2) - 2))) << line << " has no page";
    }
    listed = listed || line == "Subcommands:";
  }
  EXPECT_TRUE(listed) << help;
  for (const std::string& option : options(help.out, "  ")) {
    if (option == "-h") continue;
    EXPECT_NE(page("").find(option), std::string::npos) << option;
  }
}

}  // namespace
}  // namespace ring3::test
