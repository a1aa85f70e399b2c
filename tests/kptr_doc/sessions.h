/* The host of docs/kptr.md: sessions, which programs may own. */
#ifndef SESSIONS_H
#define SESSIONS_H

#include <ring3/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct session {
  __u64 id;
  __u64 bytes;
};

struct session *session_find(__u64 id) RING3_KFUNC;           /* a reference, or null */
struct session *session_get(struct session *s) RING3_KFUNC;   /* one more, or null: it is dying */
void session_put(struct session *s) RING3_KFUNC;              /* gives one back */

#ifdef __cplusplus
}
#endif

#endif
