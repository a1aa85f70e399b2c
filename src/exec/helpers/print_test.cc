#include <cstring>
#include <string>

#include "exec/helpers/print_format.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace std::string_view_literals;

class PrintTest : public HelperTest {
 protected:
  template <typename... Args>
  std::string print(std::string_view format, Args... args) {
    const std::uint64_t words[] = {reg(args)..., 0};
    char out[256];
    std::string with_nul(format);
    const Result<std::size_t> length = print_format(out, {with_nul.c_str(), with_nul.size() + 1}, {words, sizeof...(args)});
    if (!length) return "refused";
    EXPECT_EQ(*length, std::strlen(out));
    return out;
  }
};

TEST_F(PrintTest, Integers) {
  EXPECT_EQ(print("%d|%i|%u|%x|%X", -5, 7, 8, 0xbeef, 0xbeef), "-5|7|8|beef|BEEF");
  EXPECT_EQ(print("%ld|%lld|%lu|%llx", INT64_MIN, -1, UINT64_MAX, UINT64_MAX),
            "-9223372036854775808|-1|18446744073709551615|ffffffffffffffff");
  EXPECT_EQ(print("%d|%u|%x", 0x1'00000001, 0x1'00000002, 0x1'00000003), "1|2|3");  // upper half is not printed
}

TEST_F(PrintTest, WidthAndFlags) {
  EXPECT_EQ(print("[%5d][%-5d][%05d][%+d][% d]", 42, 42, -42, 42, 42), "[   42][42   ][-0042][+42][ 42]");
  EXPECT_EQ(print("[%8s][%-8s]", "abc", "abc"), "[     abc][abc     ]");
}

TEST_F(PrintTest, TextAndCharacters) {
  EXPECT_EQ(print("100%% %c%c", 'o', 'k'), "100% ok");
  EXPECT_EQ(print("%s, %pks!", "one", "two"), "one, two!");
  EXPECT_EQ(print("<%s>", 8), "<>");  // unreadable
}

TEST_F(PrintTest, Pointers) {
  EXPECT_EQ(print("%px", 0xdeadbeef), "00000000deadbeef");
  const std::string hashed = print("%p", 0xdeadbeef);
  EXPECT_EQ(hashed.size(), 16u);
  EXPECT_NE(hashed, "00000000deadbeef");
  EXPECT_EQ(hashed, print("%pK", 0xdeadbeef));
  EXPECT_EQ(print("%p", 0), "0000000000000000");
}

TEST_F(PrintTest, Addresses) {
  const std::uint8_t v4[] = {127, 0, 0, 1};
  const std::uint8_t v6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(print("%pI4 %pi4", v4, v4), "127.0.0.1 127.000.000.001");
  EXPECT_EQ(print("%pI6", v6), "2001:0db8:0000:0000:0000:0000:0000:0001");
  EXPECT_EQ(print("%pi6", v6), "20010db8000000000000000000000001");
}

TEST_F(PrintTest, SnprintfCutsAndTellsTheWholeLength) {
  char out[5];
  const std::uint64_t args[] = {1234567};
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, out, sizeof(out), "%d", args, 8), 8);
  EXPECT_STREQ(out, "1234");
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, nullptr, 0, "%d", args, 8), 8);
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, out, sizeof(out), "%d", args, 7), -22);
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, out, sizeof(out), "%d", nullptr, 8), -22);
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, out, sizeof(out), "%d", args, 13 * 8), -22);
  EXPECT_EQ(call(uapi::BPF_FUNC_snprintf, out, sizeof(out), "%d %d", args, 8), -22);
}

TEST_F(PrintTest, TracePrintkGoesToTheHost) {
  constexpr auto kFormat = "hit %d of %d: %s\n\0"sv;
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_printk, kFormat.data(), kFormat.size(), 3, 4, "key"), 16);
  EXPECT_EQ(host_.take_lines(), std::vector<std::string>{"hit 3 of 4: key"});
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_printk, kFormat.data(), 3, 0, 0, 0), -22);  // no NUL
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_printk, "%q", 3, 0, 0, 0), -22);
  EXPECT_TRUE(host_.take_lines().empty());
}

TEST_F(PrintTest, TraceVprintkTakesAnArray) {
  const std::uint64_t args[] = {1, 2, 3, 4};
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_vprintk, "%d %d %d %d", 12, args, 32), 7);
  EXPECT_EQ(host_.take_lines(), std::vector<std::string>{"1 2 3 4"});
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_vprintk, "none", 5, nullptr, 0), 4);
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_vprintk, "%d", 3, args, 9), -22);
}

TEST_F(PrintTest, LongLinesAreCut) {
  const std::string line(3000, 'x');
  EXPECT_EQ(call(uapi::BPF_FUNC_trace_printk, line.c_str(), line.size() + 1, 0, 0, 0), 1023);
  EXPECT_EQ(host_.take_lines()[0].size(), 1023u);
}

}  // namespace
}  // namespace ring3::exec
