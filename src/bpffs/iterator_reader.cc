#include "bpffs/iterator_reader.h"

#include <utility>

#include "base/try.h"
#include "iter/iter_link.h"

namespace ring3::bpffs {
namespace {

constexpr std::size_t kPortion = 4096;

class IteratorText final : public TextSource {
 public:
  explicit IteratorText(std::unique_ptr<iter::Session> session) : session_(std::move(session)) {}
  Result<void> more(std::string& out) override {
    const std::size_t before = out.size();
    out.resize(before + kPortion);
    const Result<std::size_t> got = session_->read(std::span(out).subspan(before));
    out.resize(before + (got.ok() ? *got : 0));
    return got.ok() ? Result<void>() : Result<void>(got.error());
  }

 private:
  const std::unique_ptr<iter::Session> session_;
};

}  // namespace

Result<std::unique_ptr<TextSource>> iterator_text(Ref<attach::Link> link, std::shared_ptr<const btf::Btf> host_btf) {
  if (!iter::is_iter_link(*link)) return Errno::kIo;
  std::unique_ptr<iter::Session> session = RING3_TRY(iter::open_session(*link, std::move(host_btf)));
  return std::unique_ptr<TextSource>(new IteratorText(std::move(session)));
}

}  // namespace ring3::bpffs
