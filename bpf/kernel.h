/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the program reads of the kernel's own structs: the fields and no more.
 * Offsets are relocated against the running kernel's BTF (CO-RE), so these
 * need not be complete nor in order. Same names on 6.1 to 6.18.
 */
#pragma once

#define hw_core __attribute__((preserve_access_index))

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 rcv_wnd;
	__u32 snd_una;
	__u32 write_seq;
	__u32 max_window;
} hw_core;

struct tcp_request_sock {
	__u32 snt_isn;
} hw_core;

/* A time-wait socket begins with its sock_common, where two of its numbers are. */
struct sock_common {
	__u32 skc_tw_rcv_nxt;
	__u32 skc_tw_snd_nxt;
} hw_core;

struct tcp_timewait_sock {
	__u32 tw_rcv_wnd;
} hw_core;
