#include "commands.h"

#include <algorithm>
#include <cctype>

#include "resp.h"

namespace cached {
namespace {

using Args = std::span<const std::string_view>;

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

void ping(Cache&, Args args, std::string& out) {
  if (args.size() == 1)
    reply_simple(out, "PONG");
  else
    reply_bulk(out, args[1]);
}

void get(Cache& cache, Args args, std::string& out) {
  if (const std::string* value = cache.get(args[1]))
    reply_bulk(out, *value);
  else
    reply_null(out);
}

void set(Cache& cache, Args args, std::string& out) {
  cache.set(args[1], args[2]);
  reply_simple(out, "OK");
}

void del(Cache& cache, Args args, std::string& out) {
  std::int64_t erased = 0;
  for (std::string_view key : args.subspan(1)) erased += cache.erase(key) ? 1 : 0;
  reply_integer(out, erased);
}

void dbsize(Cache& cache, Args, std::string& out) { reply_integer(out, static_cast<std::int64_t>(cache.size())); }
void info(Cache& cache, Args, std::string& out) { reply_bulk(out, cache.describe()); }

/// redis-benchmark asks for `save` and `appendonly` before it starts; nothing can be set.
void config(Cache&, Args args, std::string& out) {
  if (args.size() != 3 || !same_word(args[1], "GET")) return reply_error(out, "only CONFIG GET name is known");
  const bool save = same_word(args[2], "save"), append = same_word(args[2], "appendonly");
  if (!save && !append) return reply_array_head(out, 0);
  reply_array_head(out, 2);
  reply_bulk(out, args[2]);
  reply_bulk(out, save ? "" : "no");
}

/// redis-cli asks for the commands' documentation when it starts and copes without.
void command(Cache&, Args, std::string& out) { reply_array_head(out, 0); }
void quit(Cache&, Args, std::string& out) { reply_simple(out, "OK"); }

struct Row {
  std::string_view name;
  std::size_t min_words, max_words;
  void (*run)(Cache&, Args, std::string&);
};

constexpr std::size_t kMany = 1024;

constexpr Row kCommands[] = {
    // name     words       run
    {"PING",    1, 2,       ping},
    {"GET",     2, 2,       get},
    {"SET",     3, 3,       set},
    {"DEL",     2, kMany,   del},
    {"DBSIZE",  1, 1,       dbsize},
    {"INFO",    1, 2,       info},
    {"CONFIG",  2, kMany,   config},
    {"COMMAND", 1, kMany,   command},
    {"QUIT",    1, 1,       quit},
};

/// A client's word, safe to put in a reply line.
std::string printable(std::string_view word) {
  std::string text(word.substr(0, 32));
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace

bool execute(Cache& cache, Args args, std::string& out) {
  if (args.empty()) return true;
  const Row* row = std::find_if(std::begin(kCommands), std::end(kCommands),
                                [&](const Row& r) { return same_word(r.name, args[0]); });
  if (row == std::end(kCommands)) {
    reply_error(out, "unknown command '" + printable(args[0]) + "'");
  } else if (args.size() < row->min_words || args.size() > row->max_words) {
    reply_error(out, "wrong number of arguments for '" + std::string(row->name) + "'");
  } else {
    row->run(cache, args, out);
    return row->run != quit;
  }
  return true;
}

}  // namespace cached
