#include "cli/libbpf_words.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <string_view>

namespace ring3::cli {
namespace {

struct Words {
  std::string text;
  bool echo = false;
  bool program_failed = false;
  bool in_log = false;
};
Words words;

void take_line(std::string_view line) {
  // "-- BEGIN PROG LOAD LOG --" … "-- END PROG LOAD LOG --": the host's report says it better.
  if (line.find("BEGIN PROG LOAD LOG") != std::string_view::npos) words.in_log = true;
  if (!words.in_log) words.text.append(line).append("\n");
  if (line.find("END PROG LOAD LOG") != std::string_view::npos) words.in_log = false;
  if (line.find("BPF program load failed") != std::string_view::npos) words.program_failed = true;
}

__attribute__((format(printf, 2, 0))) int take(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG && !words.echo) return 0;
  va_list again;
  va_copy(again, args);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length < 0) return length;
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, args);
  text.pop_back();
  if (words.echo) std::fputs(text.c_str(), stderr);
  if (level != LIBBPF_WARN) return length;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    take_line(line);
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return length;
}

}  // namespace

LibbpfWords::LibbpfWords(bool echo) {
  words = {};
  words.echo = echo;
  libbpf_set_print(take);
}
LibbpfWords::~LibbpfWords() { libbpf_set_print(nullptr); }
std::string LibbpfWords::warnings() const { return words.text; }
bool LibbpfWords::program_failed() const { return words.program_failed; }

}  // namespace ring3::cli
