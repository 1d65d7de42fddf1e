/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Generic Netlink family "genltest": the interface between the kernel module
 * and its users. genltest.yaml describes it for tools.
 */
#ifndef _UAPI_LINUX_GENLTEST_H
#define _UAPI_LINUX_GENLTEST_H

#define GENLTEST_GENL_NAME	"genltest"
#define GENLTEST_GENL_VERSION	1
#define GENLTEST_MC_GRP_NAME	"mcgrp"

/*
 * The maximum length of the text of an event or echo request in bytes,
 * without its NUL. sysfs cuts a write at PAGE_SIZE, which is at least 4096:
 * a text that may have been cut is longer than this and therefore rejected.
 */
#define GENLTEST_MSG_MAX	4000

/* The maximum number of events of one write to /sys/genltest/burst. */
#define GENLTEST_BURST_MAX	10000000

/**
 * enum genltest_attrs - attributes of every genltest message
 * @GENLTEST_A_UNSPEC: unused
 * @GENLTEST_A_MSG: NUL-terminated string, the text
 * @GENLTEST_A_PAD: aligns the 64-bit attributes, without content
 * @GENLTEST_A_SEQ: u64, number of the event since the module was loaded, from
 *	1 and without a gap; it also counts events without a listener
 * @GENLTEST_A_TIME: u64, nanoseconds of CLOCK_REALTIME when the event was sent
 * @GENLTEST_A_LOAD_ID: u64, random and never 0, new with each load of the
 *	module: it changes exactly when @GENLTEST_A_SEQ restarts
 *
 * Requests and replies contain only @GENLTEST_A_MSG.
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
