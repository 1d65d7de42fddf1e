// SPDX-License-Identifier: GPL-2.0-only
/*
 * genltest - multicast texts that are written to sysfs over Generic Netlink
 *
 * A write to /sys/genltest/ping sends one event to the members of the multicast
 * group "mcgrp"; a write to /sys/genltest/burst sends many. All users may send
 * echo requests, which have a constant reply.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>

#include "genltest.h"

#define GENLTEST_REPLY		"Hello from Kernel Space, Netlink!"

/* All users may send echo requests, so their log lines are short. */
#define GENLTEST_LOG_MAX	64

enum genltest_multicast_groups {
	GENLTEST_MCGRP,
};

/**
 * struct genltest_stamp - attributes of an event that an echo reply lacks
 * @seq: number of the event since the module was loaded
 * @time: nanoseconds of CLOCK_REALTIME
 * @load_id: identifies the load of the module that @seq belongs to
 */
struct genltest_stamp {
	u64 seq;
	u64 time;
	u64 load_id;
};

static struct genl_family genltest_family;
static struct kobject *genltest_kobj;
static bool genltest_exiting;
static u64 genltest_load_id __ro_after_init;

/* Held during numbering and sending, so that events arrive in order. */
static DEFINE_MUTEX(genltest_event_lock);
static u64 genltest_event_seq;

static size_t genltest_reply_size(size_t len)
{
	return nla_total_size(len + 1);			/* _MSG */
}

static size_t genltest_event_size(size_t len)
{
	return nla_total_size(len + 1) +		/* _MSG */
	       nla_total_size_64bit(sizeof(u64)) +	/* _SEQ */
	       nla_total_size_64bit(sizeof(u64)) +	/* _TIME */
	       nla_total_size_64bit(sizeof(u64));	/* _LOAD_ID */
}

/* nla_put_string() for a text that is not NUL-terminated. */
static int genltest_put_text(struct sk_buff *skb, const char *text, size_t len)
{
	struct nlattr *attr = nla_reserve(skb, GENLTEST_A_MSG, len + 1);
	char *data;

	if (!attr)
		return -EMSGSIZE;

	data = nla_data(attr);
	memcpy(data, text, len);
	data[len] = '\0';
	return 0;
}

static int genltest_put_stamp(struct sk_buff *skb,
			      const struct genltest_stamp *stamp)
{
	if (nla_put_u64_64bit(skb, GENLTEST_A_SEQ, stamp->seq,
			      GENLTEST_A_PAD) ||
	    nla_put_u64_64bit(skb, GENLTEST_A_TIME, stamp->time,
			      GENLTEST_A_PAD) ||
	    nla_put_u64_64bit(skb, GENLTEST_A_LOAD_ID, stamp->load_id,
			      GENLTEST_A_PAD))
		return -EMSGSIZE;
	return 0;
}

/* Replies lack a @stamp, for compatibility with the first users. */
static int genltest_msg_fill(struct sk_buff *skb, u32 portid, u32 seq,
			     const char *text, size_t len,
			     const struct genltest_stamp *stamp)
{
	void *hdr;

	hdr = genlmsg_put(skb, portid, seq, &genltest_family, 0,
			  GENLTEST_CMD_ECHO);
	if (!hdr)
		return -EMSGSIZE;

	if (genltest_put_text(skb, text, len) ||
	    (stamp && genltest_put_stamp(skb, stamp))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}

	genlmsg_end(skb, hdr);
	return 0;
}

static int genltest_event_multicast(const char *text, size_t len, u64 seq)
{
	const struct genltest_stamp stamp = {
		.seq = seq,
		.time = ktime_get_real_ns(),
		.load_id = genltest_load_id,
	};
	struct sk_buff *skb;
	int err;

	skb = genlmsg_new(genltest_event_size(len), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	err = genltest_msg_fill(skb, 0, 0, text, len, &stamp);
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(skb);
		return err;
	}

	/*
	 * A listener that is closed or whose buffer is full is not an error
	 * of the writer: the listener detects the gap in the numbers.
	 */
	err = genlmsg_multicast(&genltest_family, skb, 0, GENLTEST_MCGRP,
				GFP_KERNEL);
	pr_debug("event %llu: %d\n", seq, err);
	return 0;
}

/**
 * genltest_event() - number an event and send it to all listeners
 * @text: the text, not necessarily NUL-terminated
 * @len: its length
 *
 * An event without a listener uses a number too, so that a later listener can
 * compute how many it missed. An event that failed uses no number.
 *
 * Return: 0, or -ENOMEM if nothing was sent.
 */
static int genltest_event(const char *text, size_t len)
{
	int err = 0;

	mutex_lock(&genltest_event_lock);
	if (genl_has_listeners(&genltest_family, &init_net, GENLTEST_MCGRP))
		err = genltest_event_multicast(text, len,
					       genltest_event_seq + 1);
	if (!err)
		genltest_event_seq++;
	mutex_unlock(&genltest_event_lock);

	return err;
}

static int genltest_reply(struct genl_info *info)
{
	const size_t len = strlen(GENLTEST_REPLY);
	struct sk_buff *skb;
	int err;

	skb = genlmsg_new(genltest_reply_size(len), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;

	err = genltest_msg_fill(skb, info->snd_portid, info->snd_seq,
				GENLTEST_REPLY, len, NULL);
	if (WARN_ON_ONCE(err)) {
		nlmsg_free(skb);
		return err;
	}

	return genlmsg_reply(skb, info);
}

static int genltest_echo_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[GENLTEST_A_MSG];
	const char *text = "";
	int len = 0;

	if (attr) {
		text = nla_data(attr);
		len = nla_len(attr) - 1;
		if (memchr(text, '\0', len)) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "text contains a NUL byte");
			return -EINVAL;
		}
	}

	pr_info_ratelimited("echo from port %u: \"%*pE\"%s\n",
			    info->snd_portid, min(len, GENLTEST_LOG_MAX), text,
			    len > GENLTEST_LOG_MAX ? "..." : "");

	return genltest_reply(info);
}

#define GENLTEST_EVENT_ONLY						\
	{								\
		.type = NLA_REJECT,					\
		.reject_message = "attribute is for events only",	\
	}

static const struct nla_policy genltest_policy[GENLTEST_A_MAX + 1] = {
	[GENLTEST_A_MSG] = { .type = NLA_NUL_STRING, .len = GENLTEST_MSG_MAX },
	[GENLTEST_A_PAD] = GENLTEST_EVENT_ONLY,
	[GENLTEST_A_SEQ] = GENLTEST_EVENT_ONLY,
	[GENLTEST_A_TIME] = GENLTEST_EVENT_ONLY,
	[GENLTEST_A_LOAD_ID] = GENLTEST_EVENT_ONLY,
};

/* Without .validate, the kernel applies its strict checks. */
static const struct genl_small_ops genltest_ops[] = {
	{
		.cmd = GENLTEST_CMD_ECHO,
		.doit = genltest_echo_doit,
	},
};

static const struct genl_multicast_group genltest_mcgrps[] = {
	[GENLTEST_MCGRP] = { .name = GENLTEST_MC_GRP_NAME },
};

static struct genl_family genltest_family __ro_after_init = {
	.name = GENLTEST_GENL_NAME,
	.version = GENLTEST_GENL_VERSION,
	.maxattr = GENLTEST_A_MAX,
	.policy = genltest_policy,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.small_ops = genltest_ops,
	.n_small_ops = ARRAY_SIZE(genltest_ops),
	.mcgrps = genltest_mcgrps,
	.n_mcgrps = ARRAY_SIZE(genltest_mcgrps),
};

/*
 * The attribute of a bin_attribute's callbacks became const in Linux 6.16 and
 * in kernels with a backport: this tests the type and not the version.
 */
#define genltest_bin_attribute						\
	typeof(*__builtin_choose_expr(					\
		__same_type(((struct bin_attribute *)0)->write,		\
			    ssize_t (*)(struct file *, struct kobject *, \
					struct bin_attribute *, char *,	\
					loff_t, size_t)),		\
		(struct bin_attribute *)0,				\
		(const struct bin_attribute *)0))

/* A position that writes never reach: see genltest_text_len(). */
#define GENLTEST_POS_REFUSED	BIT_ULL(62)

/**
 * genltest_text_len() - length of a written text, or a rejection
 * @file: the open file
 * @pos: offset of the write
 * @buf: the written bytes, never empty
 * @count: its length
 *
 * One newline at the end is not part of the text.
 *
 * sysfs passes at most PAGE_SIZE bytes of a write, and stdio writes a long line
 * in pieces and continues after an error. Bytes after a rejected piece, up to
 * the newline, belong to the rejected text: they must not become an event. The
 * only state of an open file that sysfs provides is its position, which a
 * failed write does not change. Opening the file again or seeking resets it.
 *
 * Return: the length, or -EMSGSIZE.
 */
static ssize_t genltest_text_len(struct file *file, loff_t pos,
				 const char *buf, size_t count)
{
	const bool ends = buf[count - 1] == '\n';

	if (pos < GENLTEST_POS_REFUSED && count - ends <= GENLTEST_MSG_MAX)
		return count - ends;

	file->f_pos = ends ? 0 : GENLTEST_POS_REFUSED;
	return -EMSGSIZE;
}

/* A binary attribute only because its callback receives the open file. */
static ssize_t ping_write(struct file *file, struct kobject *kobj,
			  genltest_bin_attribute *attr, char *buf, loff_t pos,
			  size_t count)
{
	const ssize_t len = genltest_text_len(file, pos, buf, count);
	int err;

	if (len < 0)
		return len;
	if (memchr(buf, '\0', len))
		return -EINVAL;

	err = genltest_event(buf, len);
	return err ?: count;
}

/* Returns why a burst must end before its last event, or 0. */
static int genltest_burst_stop(void)
{
	if (READ_ONCE(genltest_exiting))
		return -ESHUTDOWN;
	if (signal_pending(current))
		return -EINTR;
	return 0;
}

/* A space, the number of the last event of a burst, and a NUL. */
#define GENLTEST_BURST_SUFFIX	sizeof(" " __stringify(GENLTEST_BURST_MAX))

static int genltest_burst(const char *text, size_t len, unsigned int count)
{
	unsigned int i;
	int err = 0;
	char *buf;

	buf = kmalloc(len + GENLTEST_BURST_SUFFIX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, text, len);

	for (i = 1; i <= count && !err; i++) {
		err = genltest_burst_stop();
		if (!err)
			err = genltest_event(buf, len +
					     scnprintf(buf + len,
						       GENLTEST_BURST_SUFFIX,
						       " %u", i));
		cond_resched();
	}

	kfree(buf);
	return err;
}

/* Splits "COUNT TEXT" of @len bytes: returns TEXT, or an error. */
static const char *genltest_burst_parse(const char *buf, size_t len,
					unsigned int *count)
{
	char num[sizeof(__stringify(GENLTEST_BURST_MAX))];
	const size_t digits = strspn(buf, "0123456789");
	int err;

	if (!digits || digits + 1 >= len || buf[digits] != ' ' ||
	    memchr(buf, '\0', len))
		return ERR_PTR(-EINVAL);
	if (digits >= sizeof(num))
		return ERR_PTR(-ERANGE);

	memcpy(num, buf, digits);
	num[digits] = '\0';
	err = kstrtouint(num, 10, count);
	if (err)
		return ERR_PTR(err);
	if (!*count || *count > GENLTEST_BURST_MAX)
		return ERR_PTR(-ERANGE);

	return buf + digits + 1;
}

/**
 * burst_write() - send "COUNT TEXT" as COUNT events, as fast as possible
 * @file: the open file
 * @kobj: unused
 * @attr: unused
 * @buf: the written bytes
 * @pos: offset of the write
 * @count: its length
 *
 * The texts are "TEXT 1", "TEXT 2" and so on. All input is checked before the
 * first event, but a signal, lack of memory or rmmod ends a burst early: the
 * sequence numbers show how many events were sent.
 *
 * Return: @count, -EINVAL for bad syntax or an embedded NUL, -ERANGE for a
 * COUNT out of range, -EMSGSIZE if the last text would be too long, -EINTR,
 * -ENOMEM or -ESHUTDOWN.
 */
static ssize_t burst_write(struct file *file, struct kobject *kobj,
			   genltest_bin_attribute *attr, char *buf, loff_t pos,
			   size_t count)
{
	const ssize_t len = genltest_text_len(file, pos, buf, count);
	unsigned int events;
	const char *text;
	int err;

	if (len < 0)
		return len;
	text = genltest_burst_parse(buf, len, &events);
	if (IS_ERR(text))
		return PTR_ERR(text);

	err = genltest_burst(text, buf + len - text, events);
	return err ?: count;
}

static const BIN_ATTR_WO(ping, 0);
static const BIN_ATTR_WO(burst, 0);

/* For -EEXIST, modprobe reports success: the module is loaded already. */
static int __init genltest_taken(int err, const char *what)
{
	if (err != -EEXIST)
		return err;

	pr_err("another module has %s\n", what);
	return -EBUSY;
}

/**
 * genltest_kobj_create() - create the directory /sys/genltest
 *
 * kobject_create_and_add() reports every failure as lack of memory, so this
 * function does its two steps. It uses the type of kernel_kobj, whose release
 * function is built in and may run after this module is unloaded.
 *
 * Return: 0, -EBUSY if the directory exists, or another error.
 */
static int __init genltest_kobj_create(void)
{
	int err;

	genltest_kobj = kzalloc(sizeof(*genltest_kobj), GFP_KERNEL);
	if (!genltest_kobj)
		return -ENOMEM;

	err = kobject_init_and_add(genltest_kobj, get_ktype(kernel_kobj), NULL,
				   GENLTEST_GENL_NAME);
	if (!err)
		return 0;

	kobject_put(genltest_kobj);
	return genltest_taken(err, "the directory /sys/" GENLTEST_GENL_NAME);
}

/*
 * The last kobject_put() also removes the directory, but other references may
 * exist, and CONFIG_DEBUG_KOBJECT_RELEASE delays the release: the directory
 * would then still exist at the next load.
 */
static void genltest_kobj_remove(void)
{
	kobject_del(genltest_kobj);
	kobject_put(genltest_kobj);
}

static int __init genltest_init(void)
{
	int err;

	do {
		genltest_load_id = get_random_u64();
	} while (!genltest_load_id);

	/* The family is registered first, so that it exists for all writers. */
	err = genl_register_family(&genltest_family);
	if (err)
		return genltest_taken(err, "the family " GENLTEST_GENL_NAME);

	err = genltest_kobj_create();
	if (err)
		goto err_family;

	err = sysfs_create_bin_file(genltest_kobj, &bin_attr_ping);
	if (err)
		goto err_kobj;

	err = sysfs_create_bin_file(genltest_kobj, &bin_attr_burst);
	if (err)
		goto err_ping;

	return 0;

err_ping:
	sysfs_remove_bin_file(genltest_kobj, &bin_attr_ping);
err_kobj:
	genltest_kobj_remove();
err_family:
	genl_unregister_family(&genltest_family);
	return err;
}

static void __exit genltest_exit(void)
{
	/* Removing the files waits for their writers, so end bursts early. */
	WRITE_ONCE(genltest_exiting, true);

	sysfs_remove_bin_file(genltest_kobj, &bin_attr_burst);
	sysfs_remove_bin_file(genltest_kobj, &bin_attr_ping);
	genltest_kobj_remove();
	genl_unregister_family(&genltest_family);
}

module_init(genltest_init);
module_exit(genltest_exit);

MODULE_AUTHOR("The genltestd authors");
MODULE_DESCRIPTION("Generic Netlink test family: multicasts what is written to sysfs");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0");
/*
 * MODULE_ALIAS_GENL_FAMILY is omitted: with it, every user could load the
 * module by resolving the family, and an unloaded module would be loaded again.
 */
