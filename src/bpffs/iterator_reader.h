// What `cat` of a pinned iterator link shows: every open file is a walk of its own.
#pragma once

#include <memory>

#include "attach/link.h"
#include "bpffs/text_source.h"
#include "btf/btf.h"
#include "ring3/result.h"

namespace ring3::bpffs {

/// Errors: kIo a link that is no iterator; those of iter::open_session().
Result<std::unique_ptr<TextSource>> iterator_text(Ref<attach::Link> link, std::shared_ptr<const btf::Btf> host_btf);

}  // namespace ring3::bpffs
