// How numbers look in the verifier log: facts that tools and tests match on.
//   -1   scalar()   scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))
#pragma once

#include <cstdint>

#include "base/text_sink.h"
#include "verifier/domain/scalar.h"

namespace ring3::verifier {

/// Decimal while it fits 16 bits of its reading, hex beyond (a signed 40000 prints as 0x9c40).
void write_unsigned(TextSink& out, std::uint64_t x);
void write_signed(TextSink& out, std::int64_t x);
/// (0xVALUE; 0xMASK)
void write_tnum(TextSink& out, const Tnum<64>& t);

/// The bounds that say something, `smin=…,…,var_off=(…; …)`, without parentheses. A bound that says nothing is left
/// out, later bounds equal to one are joined to it (`smin=umin=…`). first: nothing has been written before inside
/// the parentheses; otherwise every item starts with a comma. True: something was written.
bool write_bounds(TextSink& out, const Scalar<64>& s, bool first);

/// A scalar as the log prints it: [P]number or [P]scalar(id=…,bounds).
/// id 0: none; added: constant distance to the other numbers of the same id (printed as id=N+added).
void write_scalar(TextSink& out, const Scalar<64>& s, bool precise, std::uint32_t id = 0, std::int32_t added = 0);

}  // namespace ring3::verifier
