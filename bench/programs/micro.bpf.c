// Small programs that each lean on one thing a compiler of BPF does well or badly. Written for this project. Each
// reads a packet of at least 1024 bytes, of any contents, and returns a number that depends on all it did.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

struct xdp_md {
  u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

#ifdef __bpf__
#define PROGRAM(name) __attribute__((section("xdp/" #name), used)) int name(struct xdp_md *ctx)
#else  // the same C for this machine: a row for each, found by the linker (bench/support/native_programs.h)
struct native_program {
  const char *name;
  int (*run)(struct xdp_md *ctx);
};
#define PROGRAM(name)                                                                                      \
  static int native_##name(struct xdp_md *ctx);                                                            \
  static const struct native_program row_##name __attribute__((section("native_programs"), used)) = {#name, native_##name}; \
  static int native_##name(struct xdp_md *ctx)
#endif
#define PACKET(p)                            \
  u8 *p = (u8 *)(u64)ctx->data;              \
  if (p + 1024 > (u8 *)(u64)ctx->data_end) return -1
#define LOOP _Pragma("clang loop unroll(disable)") for
// The compiler knows nothing about a value that went through here.
#define OPAQUE(x) asm volatile("" : "+r"(x))

PROGRAM(empty) { return 2; }

PROGRAM(alu64) {
  PACKET(p);
  u64 a = *(u64 *)p, b = *(u64 *)(p + 8);
  LOOP(u32 i = 0; i < 200; i++) {
    a += b ^ i;
    b = (b << 5) - a;
    a ^= a >> 7;
    b |= a & 0xf0f0f0f0;
    a -= b;
  }
  return a ^ b;
}

PROGRAM(alu32) {
  PACKET(p);
  u32 a = *(u32 *)p, b = *(u32 *)(p + 8);
  LOOP(u32 i = 0; i < 200; i++) {
    a += b ^ i;
    b = (b << 5) - a;
    a ^= a >> 7;
    b |= a & 0xf0f0f0f0;
    a -= b;
  }
  return a ^ b;
}

PROGRAM(multiply) {
  PACKET(p);
  u64 a = *(u64 *)p, b = 1;
  LOOP(u32 i = 0; i < 200; i++) {
    b = b * 6364136223846793005ull + a;
    a = a * 9 + (b >> 33) * 5;
  }
  return a ^ b;
}

PROGRAM(divide_variable) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 64; i++) {
    u64 a = *(u64 *)(p + 8 * i), b = p[i] + 3;
    sum += a / b + a % (b + 2);
  }
  return sum;
}

PROGRAM(divide_constant) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 64; i++) {
    u64 a = *(u64 *)(p + 8 * i);
    u32 b = (u32)a;
    OPAQUE(a);
    sum += a / 10 + b % 1000 + a % 60;
  }
  return sum;
}

#if !defined(__bpf__) || __BPF_CPU_VERSION__ >= 4
PROGRAM(divide_signed) {
  PACKET(p);
  s64 sum = 0;
  LOOP(u32 i = 0; i < 64; i++) {
    s64 a = *(s64 *)(p + 8 * i);
    s32 b = (s32)a;
    OPAQUE(a);
    sum += a / 10 + b % 1000 + a / -64;
  }
  return (u64)sum;
}
#endif

PROGRAM(rotate64) {
  PACKET(p);
  u64 a = *(u64 *)p, b = *(u64 *)(p + 8);
  LOOP(u32 i = 0; i < 200; i++) {
    a = (a << 13) | (a >> 51);
    b = (b << 32) | (b >> 32);
    a ^= b;
    b = (b << 7) | (b >> 57);
    b += a;
  }
  return a ^ b;
}

PROGRAM(rotate32) {
  PACKET(p);
  u32 a = *(u32 *)p, b = *(u32 *)(p + 8);
  LOOP(u32 i = 0; i < 200; i++) {
    a = (a << 13) | (a >> 19);
    b = (b << 16) | (b >> 16);
    a ^= b;
    b = (b << 7) | (b >> 25);
    b += a;
  }
  return a ^ b;
}

PROGRAM(byte_swap) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 100; i++) {
    sum += __builtin_bswap64(*(u64 *)(p + 8 * i));
    sum ^= __builtin_bswap32(*(u32 *)(p + 8 * i + 4));
    sum += __builtin_bswap16(*(u16 *)(p + 8 * i + 2));
  }
  return sum ^ sum >> 32;
}

PROGRAM(load_bytes) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 512; i++) sum += p[i];
  return sum;
}

PROGRAM(load_words) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 128; i++) sum += *(u64 *)(p + 8 * i);
  return sum ^ sum >> 32;
}

PROGRAM(load_strided) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 200; i++) sum += *(u32 *)(p + (i * 52 & 1020)) + *(u16 *)(p + (i * 28 & 1022));
  return sum;
}

static inline u32 be32(const u8 *q) { return (u32)q[0] << 24 | (u32)q[1] << 16 | (u32)q[2] << 8 | q[3]; }
static inline u32 le32(const u8 *q) { return (u32)q[3] << 24 | (u32)q[2] << 16 | (u32)q[1] << 8 | q[0]; }
static inline u64 le64(const u8 *q) { return (u64)le32(q + 4) << 32 | le32(q); }

PROGRAM(recompose_be32) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 128; i++) sum += be32(p + 4 * i);
  return sum;
}

PROGRAM(recompose_le64) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 100; i++) sum += le64(p + 8 * i);
  return sum ^ sum >> 32;
}

// Byte by byte because the structure is packed, as compilers must where alignment is unknown.
struct packed_header {
  u8 kind;
  u16 port;
  u32 address;
  u64 cookie;
} __attribute__((packed));

PROGRAM(packed_fields) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 60; i++) {
    struct packed_header *h = (struct packed_header *)(p + 16 * i);
    sum += h->address + h->cookie + h->port * h->kind;
  }
  return sum ^ sum >> 32;
}

PROGRAM(compare_64) {
  PACKET(p);
  u32 same = 0;
  LOOP(u32 i = 0; i < 15; i++) {
    u32 n = 0;
    LOOP(u32 j = 0; j < 64; j++) {
      if (p[j] != p[64 * i + j]) break;
      n++;
    }
    same += n + 1;
  }
  return same;
}

PROGRAM(copy_words) {
  PACKET(p);
  LOOP(u32 i = 0; i < 64; i++) *(u64 *)(p + 512 + 8 * i) = *(u64 *)(p + 8 * i);
  return *(u32 *)(p + 700);
}

PROGRAM(branches) {
  PACKET(p);
  u32 n = 0;
  LOOP(u32 i = 0; i < 256; i++) {
    u8 b = p[i];
    if (b & 1) n += 3;
    if (b > 200) n ^= 0x55;
    else if (b > 100) n -= 7;
    else if (b > 50) n += b;
    if ((b & 0x18) == 0x18) n <<= 1;
  }
  return n;
}

PROGRAM(select) {
  PACKET(p);
  u32 least = ~0u, most = 0;
  u64 clamped = 0;
  LOOP(u32 i = 0; i < 200; i++) {
    // Compared by 64 bits on every cpu: the kernel's verifier gives up on three comparisons of 32 bits a turn.
    u64 v = *(u32 *)(p + 4 * i), l = least, m = most;
    OPAQUE(v);
    least = v < l ? v : l;
    most = v > m ? v : m;
    clamped += v > 1000000 ? 1000000 : v;
  }
  return least ^ most ^ clamped;
}

PROGRAM(switch_16) {
  PACKET(p);
  u32 n = 1;
  LOOP(u32 i = 0; i < 128; i++) {
    switch (p[i] & 15) {
      case 0: n += 3; break;
      case 1: n ^= 0x1234; break;
      case 2: n *= 3; break;
      case 3: n -= i; break;
      case 4: n = n << 3 | 1; break;
      case 5: n += n >> 5; break;
      case 6: n |= 0x80; break;
      case 7: n &= ~0x11u; break;
      case 8: n += 77; break;
      case 9: n ^= i; break;
      case 10: n *= 5; break;
      case 11: n -= 1; break;
      case 12: n = ~n; break;
      case 13: n += i * 2; break;
      case 14: n ^= n << 1; break;
      default: n += 9; break;
    }
  }
  return n;
}

PROGRAM(count_bits) {
  PACKET(p);
  u32 n = 0;
  LOOP(u32 i = 0; i < 64; i++) {
    u64 v = *(u64 *)(p + 8 * i);
    v = v - ((v >> 1) & 0x5555555555555555ull);
    v = (v & 0x3333333333333333ull) + ((v >> 2) & 0x3333333333333333ull);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
    n += (v * 0x0101010101010101ull) >> 56;
  }
  return n;
}

PROGRAM(checksum) {
  PACKET(p);
  u32 sum = 0;
  LOOP(u32 i = 0; i < 256; i++) sum += *(u16 *)(p + 2 * i);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (u16)~sum;
}

PROGRAM(fnv1a) {
  PACKET(p);
  u64 h = 0xcbf29ce484222325ull;
  LOOP(u32 i = 0; i < 256; i++) h = (h ^ p[i]) * 0x100000001b3ull;
  return h ^ h >> 32;
}

#define ROTL32(v, n) ((v) << (n) | (v) >> (32 - (n)))

// The mixing of Murmur3, from its public description.
PROGRAM(murmur3) {
  PACKET(p);
  u32 h = 42;
  LOOP(u32 i = 0; i < 128; i++) {
    u32 k = *(u32 *)(p + 4 * i) * 0xcc9e2d51u;
    k = ROTL32(k, 15) * 0x1b873593u;
    h = ROTL32(h ^ k, 13) * 5 + 0xe6546b64u;
  }
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  return h ^ h >> 13;
}

PROGRAM(crc32) {
  PACKET(p);
  u32 crc = ~0u;
  LOOP(u32 i = 0; i < 32; i++) {
    crc ^= p[i];
    LOOP(u32 bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
  }
  return ~crc;
}

// SipHash rounds, from its public description.
PROGRAM(siphash) {
  PACKET(p);
  u64 a = 0x736f6d6570736575ull, b = 0x646f72616e646f6dull, c = 0x6c7967656e657261ull, d = 0x7465646279746573ull;
  LOOP(u32 i = 0; i < 64; i++) {
    u64 m = *(u64 *)(p + 8 * i);
    d ^= m;
    a += b; b = b << 13 | b >> 51; b ^= a; a = a << 32 | a >> 32;
    c += d; d = d << 16 | d >> 48; d ^= c;
    a += d; d = d << 21 | d >> 43; d ^= a;
    c += b; b = b << 17 | b >> 47; b ^= c; c = c << 32 | c >> 32;
    a ^= m;
  }
  return a ^ b ^ c ^ d;
}

PROGRAM(parse_packet) {
  PACKET(p);
  u32 n = 0;
  LOOP(u32 i = 0; i < 16; i++) {
    u8 *h = p + 48 * i;
    u16 proto = *(u16 *)(h + 12);
    u32 off = 14;
    if (proto == 0x0081) {
      proto = *(u16 *)(h + 16);
      off = 18;
    }
    u8 ihl = h[off] & 0xf;
    if (ihl < 5) n += 1;
    if (h[off + 9] == 6) n += __builtin_bswap16(*(u16 *)(h + off + 20));
    else if (h[off + 9] == 17) n ^= __builtin_bswap16(*(u16 *)(h + off + 22));
    else n += proto;
    n += __builtin_bswap32(*(u32 *)(h + off + 12)) ^ *(u32 *)(h + off + 16);
  }
  return n;
}

PROGRAM(find_byte) {
  PACKET(p);
  u32 found = 0;
  LOOP(u32 i = 0; i < 500; i++)
    if (p[i] == '/' && p[i + 1] != '/') found += i;
  return found;
}

PROGRAM(binary_search) {
  PACKET(p);
  u32 table[16];
  for (u32 i = 0; i < 16; i++) table[i] = i * 16 + 3;
  u32 hits = 0;
  LOOP(u32 i = 0; i < 64; i++) {
    u32 low = 0, want = p[i];
    if (table[(low + 8) & 15] <= want) low += 8;
    if (table[(low + 4) & 15] <= want) low += 4;
    if (table[(low + 2) & 15] <= want) low += 2;
    if (table[(low + 1) & 15] <= want) low += 1;
    hits += low;
  }
  return hits;
}

PROGRAM(stack_histogram) {
  PACKET(p);
  u32 count[32] = {};
  LOOP(u32 i = 0; i < 256; i++) count[p[i] & 31]++;
  u32 out = 0;
  LOOP(u32 i = 0; i < 32; i++) out = out * 31 + count[i];
  return out;
}

PROGRAM(fibonacci) {
  PACKET(p);
  u64 a = p[0], b = 1;
  LOOP(u32 i = 0; i < 400; i++) {
    u64 c = a + b;
    a = b;
    b = c;
  }
  return a;
}

PROGRAM(matrix_4x4) {
  PACKET(p);
  u32 sum = 0;
  LOOP(u32 round = 0; round < 4; round++)
    LOOP(u32 i = 0; i < 4; i++)
      LOOP(u32 j = 0; j < 4; j++) {
        u32 cell = 0;
        for (u32 k = 0; k < 4; k++) cell += *(u32 *)(p + 16 * i + 4 * k + 64 * round) * *(u32 *)(p + 512 + 16 * k + 4 * j);
        sum = sum * 7 + cell;
      }
  return sum;
}

#define STEP(k) a = (a ^ k##1) * 3 + b; b = (b << 3 ^ a) - k##2; c += a ^ b >> 5;
#define STEPS(k) STEP(k##1) STEP(k##2) STEP(k##3) STEP(k##4) STEP(k##5) STEP(k##6) STEP(k##7) STEP(k##8)
PROGRAM(straight_line) {
  PACKET(p);
  u64 a = *(u64 *)p, b = *(u64 *)(p + 8), c = 0;
  STEPS(1) STEPS(2) STEPS(3) STEPS(4) STEPS(5) STEPS(6) STEPS(7) STEPS(8)
  return a ^ b ^ c;
}

PROGRAM(many_live) {
  PACKET(p);
  u64 v[14];
  for (u32 i = 0; i < 14; i++) v[i] = *(u64 *)(p + 8 * i);
  LOOP(u32 n = 0; n < 30; n++)
    for (u32 i = 0; i < 14; i++) v[i] += v[(i + 5) % 14] ^ n;
  u64 out = 0;
  for (u32 i = 0; i < 14; i++) out ^= v[i] + i;
  return out ^ out >> 32;
}

PROGRAM(extract_fields) {
  PACKET(p);
  u64 sum = 0;
  LOOP(u32 i = 0; i < 120; i++) {
    u64 v = *(u64 *)(p + 8 * i);
    sum += (v >> 3 & 0x1f) + (v >> 11 & 0xff) + (v >> 24 & 0xfff) + (v >> 40 & 0xffff) + (v >> 60);
  }
  return sum;
}

PROGRAM(sign_extend) {
  PACKET(p);
  s64 sum = 0;
  LOOP(u32 i = 0; i < 200; i++) sum += (signed char)p[i] + *(short *)(p + 2 * i) * (s64) * (int *)(p + 4 * i);
  return sum ^ sum >> 32;
}

PROGRAM(string_compare) {
  PACKET(p);
  u32 equal = 0;
  LOOP(u32 i = 0; i < 16; i++) {
    const u8 *a = p + 16 * i, *b = p + 512 + 16 * (i & 3);
    u32 n = 0;
    LOOP(; n < 15; n++)
      if ((a[n] & 1) != (b[n] & 1) || a[n] == 0) break;
    equal += n;
  }
  return equal;
}

PROGRAM(varint_decode) {
  PACKET(p);
  u8 *end = (u8 *)(u64)ctx->data_end;
  u64 sum = 0;
  u32 at = p[0];
  LOOP(u32 n = 0; n < 100; n++) {
    u64 value = 0;
    LOOP(u32 shift = 0; shift < 35; shift += 7) {
      u8 *byte = p + (at & 1023);
      if (byte + 1 > end) return -1;
      at = (at + 1) & 1023;
      OPAQUE(at);
      value |= (u64)(*byte & 0x7f) << shift;
      if (!(*byte & 0x80)) break;
    }
    sum += value;
  }
  return sum ^ sum >> 32;
}

PROGRAM(utf8_length) {
  PACKET(p);
  u32 length = 0, bad = 0;
  LOOP(u32 i = 0; i < 512; i++) {
    if ((p[i] & 0xc0) != 0x80) length++;
    if (p[i] >= 0xf8) bad++;
  }
  return length * 1000 + bad;
}

PROGRAM(token_bucket) {
  PACKET(p);
  u64 tokens = 1000, last = 0;
  u32 passed = 0;
  LOOP(u32 i = 0; i < 100; i++) {
    u64 now = last + (*(u16 *)(p + 2 * i) & 0x3ff);
    tokens += (now - last) * 3 / 10;
    if (tokens > 1000) tokens = 1000;
    last = now;
    u32 cost = p[i] + 40;
    if (cost <= tokens) {
      tokens -= cost;
      passed++;
    }
  }
  return passed * 4096 + (u32)tokens;
}

PROGRAM(maglev_pick) {
  PACKET(p);
  u8 *end = (u8 *)(u64)ctx->data_end;
  u32 sum = 0;
  LOOP(u32 i = 0; i < 60; i++) {
    u32 h = *(u32 *)(p + 4 * i) * 0x9e3779b1u;
    h ^= h >> 15;
    h *= 0x85ebca77u;
    h ^= h >> 13;
    u32 at = h % 1021;
    OPAQUE(at);
    u8 *place = p + (at & 1023);
    if (place + 1 > end) return -1;
    sum += *place;
  }
  return sum;
}
