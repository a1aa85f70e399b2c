// ring3_cases [--bless] [gtest flags] [FILE or DIRECTORY …]: every case of every .case file as one test.
// Without paths: tests/cases. --bless rewrites expectations that do not hold; look at the diff.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <gtest/gtest.h>

#include "tests/cases_runner/case_check.h"

namespace ring3::test {
namespace {

bool bless = false;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// One case. Reads nothing but its own copy, so that filters and shuffling work.
class CaseTest : public testing::Test {
 public:
  CaseTest(std::shared_ptr<const CaseFile> file, std::size_t index) : file_(std::move(file)), index_(index) {}

  void TestBody() override {
    const Case& c = file_->cases[index_];
    const CaseReport report = check_with_xfail(c);
    for (const std::string& failure : report.failures)
      ADD_FAILURE_AT(file_->path.c_str(), static_cast<int>(c.line + 1)) << c.name << "\n" << failure;
    if (bless && !report.edits.empty()) bless_case(report);
    if (report.failures.empty() && !report.not_checked.empty()) GTEST_SKIP() << report.not_checked[0];
  }

 private:
  /// Earlier blessings may have moved lines: find the case again in what the file says now.
  void bless_case(const CaseReport& report) {
    CaseFile now;
    std::string error;
    if (!parse_case_file(file_->path, read_file(file_->path), now, error)) return;
    std::vector<CaseEdit> edits;
    const Case& before = file_->cases[index_];
    for (const Case& c : now.cases) {
      if (c.name != before.name) continue;
      for (const CaseEdit& edit : report.edits) edits.push_back({edit.heading - before.line + c.line, edit.body});
    }
    const std::string text = apply_edits(now, edits);
    std::ofstream(file_->path, std::ios::binary) << text;
  }

  std::shared_ptr<const CaseFile> file_;
  std::size_t index_;
};

class BrokenFileTest : public testing::Test {
 public:
  explicit BrokenFileTest(std::string message) : message_(std::move(message)) {}
  void TestBody() override { FAIL() << message_; }

 private:
  std::string message_;
};

std::string identifier(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
    else if (!out.empty() && out.back() != '_') out += '_';
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

void add_file(const std::filesystem::path& path) {
  auto file = std::make_shared<CaseFile>();
  std::string error;
  std::string suite = path.string();
  if (const std::size_t at = suite.rfind("cases/"); at != std::string::npos) suite = suite.substr(at + 6);
  suite = identifier(suite.substr(0, suite.size() - std::string_view(".case").size()));
  if (!parse_case_file(path.string(), read_file(path.string()), *file, error)) {
    const std::string message = path.string() + ":" + error;
    testing::RegisterTest(suite.c_str(), "Parses", nullptr, nullptr, path.c_str(), 1,
                          [message]() -> testing::Test* { return new BrokenFileTest(message); });
    return;
  }
  for (std::size_t i = 0; i < file->cases.size(); ++i)
    testing::RegisterTest(suite.c_str(), identifier(file->cases[i].name).c_str(), nullptr, nullptr, path.c_str(),
                          static_cast<int>(file->cases[i].line + 1),
                          [file, i]() -> testing::Test* { return new CaseTest(file, i); });
}

int add_all(const std::vector<std::string>& roots) {
  std::vector<std::filesystem::path> files;
  for (const std::string& root : roots) {
    std::error_code error;
    if (std::filesystem::is_directory(root, error)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
        if (entry.path().extension() == ".case") files.push_back(entry.path());
    } else if (std::filesystem::exists(root, error)) {
      files.emplace_back(root);
    } else {
      std::fprintf(stderr, "ring3_cases: no such file or directory: %s\n", root.c_str());
      return 2;
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) add_file(file);
  return 0;
}

}  // namespace
}  // namespace ring3::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::vector<std::string> roots;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--bless") ring3::test::bless = true;
    else roots.emplace_back(argv[i]);
  }
  if (roots.empty()) roots.emplace_back("tests/cases");
  if (const int status = ring3::test::add_all(roots); status != 0) return status;
  return RUN_ALL_TESTS();
}
