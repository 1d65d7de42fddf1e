/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Generic Netlink family "genltest": what the kernel module and its users
 * have to agree on. genltest.yaml describes the same for tools.
 */
#ifndef _UAPI_LINUX_GENLTEST_H
#define _UAPI_LINUX_GENLTEST_H

#define GENLTEST_GENL_NAME	"genltest"
#define GENLTEST_GENL_VERSION	1
#define GENLTEST_MC_GRP_NAME	"mcgrp"

/*
 * The longest text of an event or echo request in bytes, without its NUL.
 * sysfs cuts a write at PAGE_SIZE, which is never less than 4096: whatever
 * may have been cut is longer than this and therefore refused.
 */
#define GENLTEST_MSG_MAX	4000

/* The most events that one write to /sys/genltest/burst sends. */
#define GENLTEST_BURST_MAX	10000000

/**
 * enum genltest_attrs - attributes of every genltest message
 * @GENLTEST_A_UNSPEC: unused
 * @GENLTEST_A_MSG: NUL-terminated string, the text
 * @GENLTEST_A_PAD: aligns the 64-bit attributes, carries nothing
 * @GENLTEST_A_SEQ: u64, number of the event since the module was loaded, from
 *	1 and without a gap; events that nobody listened to are counted too
 * @GENLTEST_A_TIME: u64, nanoseconds of CLOCK_REALTIME when the event was sent
 * @GENLTEST_A_LOAD_ID: u64, random and never 0, drawn when the module was
 *	loaded: it changes exactly when @GENLTEST_A_SEQ starts again
 *
 * Only @GENLTEST_A_MSG is valid in a request; replies carry nothing else.
 */
enum genltest_attrs {
	GENLTEST_A_UNSPEC,
	GENLTEST_A_MSG,
	GENLTEST_A_PAD,
	GENLTEST_A_SEQ,
	GENLTEST_A_TIME,
	GENLTEST_A_LOAD_ID,
	__GENLTEST_A_MAX,
};

#define GENLTEST_A_MAX (__GENLTEST_A_MAX - 1)

/**
 * enum genltest_cmds - commands
 * @GENLTEST_CMD_UNSPEC: unused
 * @GENLTEST_CMD_ECHO: request with an optional text, answered with a constant
 *	text; also the command of the events multicast to "mcgrp"
 */
enum genltest_cmds {
	GENLTEST_CMD_UNSPEC,
	GENLTEST_CMD_ECHO,
	__GENLTEST_CMD_MAX,
};

#define GENLTEST_CMD_MAX (__GENLTEST_CMD_MAX - 1)

#endif /* _UAPI_LINUX_GENLTEST_H */
