// Any attributes for any command of bpf(2), in sequences that share descriptors: every call ends with a result or
// an errno, and when the caller is gone nothing is left.
//
// Input: per call one byte for the command (rows of the command table, and numbers beyond it), one for the
// attribute's size, then that many bytes. Addresses count from kBase in a memory of the caller that is the input
// itself and some room; small numbers are its descriptors.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "object/rcu.h"
#include "syscall/bpf.h"
#include "syscall/command_table.h"
#include "tests/support/fake_kernel.h"

namespace {

using namespace ring3;

constexpr std::uint64_t kBase = 0x1000;
constexpr std::size_t kRoom = 64 * 1024;
constexpr std::size_t kMostCalls = 64;

class Memory final : public syscall::UserMemory {
 public:
  explicit Memory(std::span<const std::byte> input) : bytes_(kRoom) {
    std::copy_n(input.begin(), std::min(input.size(), kRoom), bytes_.begin());
  }
  Result<void> read(std::uint64_t address, std::span<std::byte> out) override {
    if (out.empty()) return {};
    if (!holds(address, out.size())) return Errno::kFault;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(address - kBase), out.size(), out.begin());
    return {};
  }
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override {
    if (in.empty()) return {};
    if (!holds(address, in.size())) return Errno::kFault;
    std::copy(in.begin(), in.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(address - kBase));
    return {};
  }
  std::byte* at(std::size_t offset) { return bytes_.data() + offset; }

 private:
  bool holds(std::uint64_t address, std::size_t size) const {
    return address >= kBase && size <= kRoom && address - kBase <= kRoom - size;
  }
  std::vector<std::byte> bytes_;
};

/// Descriptors 3, 4, … as a small process has them.
class Files final : public syscall::ClientFiles {
 public:
  Result<syscall::FileIdentity> identify(int fd, OwnedFd&) override {
    const std::size_t slot = static_cast<std::size_t>(fd) - 3;
    if (fd < 3 || slot >= open_.size()) return Errno::kBadF;
    return syscall::identify_own(open_[slot].get());
  }
  Result<int> install(OwnedFd fd) override {
    open_.push_back(std::move(fd));
    return static_cast<int>(open_.size()) + 2;
  }
  Result<void> close(int fd) override {
    const std::size_t slot = static_cast<std::size_t>(fd) - 3;
    if (fd < 3 || slot >= open_.size() || !open_[slot]) return Errno::kBadF;
    open_[slot].reset();
    return {};
  }
  Result<std::string> directory_path(int) override { return std::string("/sys/fs/bpf"); }
  Result<pid_t> process(int) override { return Errno::kBadF; }

 private:
  std::vector<OwnedFd> open_;
};

class Caller final : public syscall::Caller {
 public:
  explicit Caller(std::span<const std::byte> input) : memory_(input) {}
  const syscall::Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return model::Rights::all(); }
  Memory& memory() override { return memory_; }
  Files& files() override { return files_; }
  mode_t umask() override { return 022; }

 private:
  const syscall::Credentials credentials_;
  Memory memory_;
  Files files_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), std::min(size, kRoom));
  test::FakeKernel kernel;  // its end checks that nothing is left
  {
    Caller caller(bytes);
    const auto commands = static_cast<unsigned>(syscall::commands().size()) + 2;
    std::size_t at = 0;
    for (std::size_t n = 0; n < kMostCalls && at + 2 <= bytes.size(); ++n) {
      const auto command = static_cast<int>(data[at] % commands);
      const std::uint32_t length = data[at + 1];
      (void)syscall::bpf(kernel.kernel(), caller, command, kBase + at + 2, length);
      at += 2 + length;
    }
    kernel.kernel().pins().clear();
  }
  rcu::drain();
  return 0;
}
