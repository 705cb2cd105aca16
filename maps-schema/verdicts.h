/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The list of verdicts. Each packet that the XDP program sees ends in exactly
 * one of them and is counted under it. The enum, the per-CPU counters, the
 * summed views, `homeward stats` and the documentation are generated from this
 * list and from nothing else.
 *
 * V(name, XDP action, one sentence)
 */
#pragma once

#define HW_VERDICTS(V) \
	/* not ours to judge */ \
	V(pass_other,         XDP_PASS, "neither for a VIP nor for the endpoint's port 6081") \
	V(pass_not_tcp,       XDP_PASS, "to a VIP, but not TCP, nor UDP to a listed port: served where it lands") \
	V(pass_udp,           XDP_PASS, "UDP to a VIP, on a port in its list: served where it lands") \
	V(pass_port,          XDP_PASS, "TCP to a VIP, on a port that is not in its list") \
	V(pass_fragment,      XDP_PASS, "a fragment to a VIP: served where it lands") \
	V(pass_malformed,     XDP_PASS, "to a VIP, with headers cut short or wrong: the stack discards it") \
	/* steps 1 and 2: at home */ \
	V(pass_new,           XDP_PASS, "a SYN: a new connection is opened where it lands") \
	V(pass_mine,          XDP_PASS, "a socket of this node owns the flow, and the numbers fit") \
	V(pass_cookie,        XDP_PASS, "answers a SYN cookie of this node, or follows such an answer closely") \
	/* step 3: known strays */ \
	V(carry_tx,           XDP_TX, "a stray, encapsulated and sent to its home by the NIC it came in by") \
	V(carry_redirect,     XDP_REDIRECT, "a stray, encapsulated and sent to its home by another NIC") \
	V(drop_no_route,      XDP_DROP, "a stray whose home has no usable next hop at the moment") \
	V(drop_too_big,       XDP_DROP, "a stray that does not fit the path to its home once encapsulated") \
	V(drop_headroom,      XDP_DROP, "the driver left no room in front of the packet to encapsulate it") \
	/* steps 5 and 6: unknown */ \
	V(drop_asked,         XDP_DROP, "unknown: handed to the agent, which holds it, asks, and sends it on") \
	V(drop_budget,        XDP_DROP, "unknown: beyond what may be handed to the agent") \
	V(drop_queue_full,    XDP_DROP, "unknown: the agent is not running or does not keep up") \
	V(drop_unresolved,    XDP_DROP, "was asked about, but what the agent found no longer holds") \
	V(pass_nobody,        XDP_PASS, "every node said \"not mine\": the stack sends a RST") \
	V(pass_invisible,     XDP_PASS, "unknown, to a VIP whose sockets this node cannot see") \
	/* from other nodes: data */ \
	V(pass_carried,       XDP_PASS, "a carried packet that is home: decapsulated and delivered") \
	V(return_tx,          XDP_TX, "a carried packet that is not ours: returned to the node that sent it") \
	V(drop_returned,      XDP_DROP, "a stray came back, not theirs: handed to the agent to ask again") \
	/* from other nodes: control */ \
	V(answer_tx,          XDP_TX, "an ASK, answered in place") \
	V(pong_tx,            XDP_TX, "a PING, answered in place") \
	V(pass_answer,        XDP_PASS, "an ANSWER, for the agent") \
	V(pass_pong,          XDP_PASS, "a PONG, for the agent") \
	/* on port 6081 and refused */ \
	V(drop_tun_malformed, XDP_DROP, "on port 6081: cut short, or not a Geneve header of ours") \
	V(drop_tun_network,   XDP_DROP, "on port 6081: the VNI of another network") \
	V(drop_tun_source,    XDP_DROP, "on port 6081: from an address that is not the endpoint of the node it names") \
	V(drop_tun_key,       XDP_DROP, "on port 6081: made with a key that this node does not have") \
	V(drop_tun_tag,       XDP_DROP, "on port 6081: the tag is wrong") \
	V(drop_tun_kind,      XDP_DROP, "on port 6081: of a kind that this version does not know") \
	V(drop_tun_inner,     XDP_DROP, "on port 6081: carries what no node may carry")

enum hw_verdict {
#define V(name, action, text) HW_V_##name,
	HW_VERDICTS(V)
#undef V
	HW_VERDICT_COUNT
};

/* One named counter per verdict, in packets; `bpftool map dump` prints the names. */
struct hw_verdicts {
#define V(name, action, text) __u64 name;
	HW_VERDICTS(V)
#undef V
};

_Static_assert(sizeof(struct hw_verdicts) == 8 * HW_VERDICT_COUNT, "a counter per verdict");
