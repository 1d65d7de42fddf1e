// SPDX-License-Identifier: GPL-2.0-only
/*
 * genltest_tutorial - a substitute for the genltest module of the tutorial
 *
 * For compatibility tests only. The article "Introduction to Generic Netlink"
 * describes a module that many readers have built. This module has the same
 * behaviour on the wire, in sysfs and in the kernel log, including its flaws,
 * so that programs for genltest can be tested with it. It was written from the
 * observed behaviour. The following flaws are intended:
 *
 * - a reply is a constant, an event contains only a text;
 * - the kernel log gets a line per event and two per echo, unlimited and raw;
 * - the text of an event keeps its newline and ends at the first NUL;
 * - a write is sent completely but at most 1024 bytes of it are acknowledged,
 *   so the writer sends the rest again;
 * - the writer receives no errors;
 * - the sysfs file exists before the family and after it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include <net/genetlink.h>

#define TUTORIAL_NAME		"genltest"
#define TUTORIAL_VERSION	1
#define TUTORIAL_GROUP		"mcgrp"
#define TUTORIAL_REPLY		"Hello from Kernel Space, Netlink!"
#define TUTORIAL_STORE_MAX	1024

enum {
	TUTORIAL_A_UNSPEC,
	TUTORIAL_A_MSG,
	__TUTORIAL_A_MAX,
};

#define TUTORIAL_A_MAX (__TUTORIAL_A_MAX - 1)

enum {
	TUTORIAL_CMD_UNSPEC,
	TUTORIAL_CMD_ECHO,
};

static struct genl_family tutorial_family;
static struct kobject *tutorial_kobj;

/* Without a length parameter: a text ends at its first NUL. */
static struct sk_buff *tutorial_msg(u32 portid, u32 seq, const char *text)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return NULL;

	hdr = genlmsg_put(skb, portid, seq, &tutorial_family, 0,
			  TUTORIAL_CMD_ECHO);
	if (!hdr || nla_put_string(skb, TUTORIAL_A_MSG, text)) {
		nlmsg_free(skb);
		return NULL;
	}

	genlmsg_end(skb, hdr);
	return skb;
}

static int tutorial_echo_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	int err;

	if (info->attrs[TUTORIAL_A_MSG])
		pr_info("message received: %s\n",
			(char *)nla_data(info->attrs[TUTORIAL_A_MSG]));
	else
		pr_info("empty message received\n");

	msg = tutorial_msg(info->snd_portid, info->snd_seq, TUTORIAL_REPLY);
	if (!msg)
		return -ENOMEM;

	err = genlmsg_reply(msg, info);
	pr_info("reply sent\n");
	return err;
}

static void tutorial_multicast(const char *text)
{
	struct sk_buff *msg = tutorial_msg(0, 0, text);
	int err;

	if (!msg) {
		pr_err("unable to create message string\n");
		return;
	}

	err = genlmsg_multicast(&tutorial_family, msg, 0, 0, GFP_KERNEL);
	if (err == -ESRCH)
		pr_warn("multicast message sent, but nobody was listening...\n");
	else if (err)
		pr_err("failed to send multicast genl message\n");
	else
		pr_info("multicast message sent\n");
}

static ssize_t ping_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	tutorial_multicast(buf);
	return min_t(size_t, count, TUTORIAL_STORE_MAX);
}

static struct kobj_attribute tutorial_ping = __ATTR_WO(ping);

static const struct nla_policy tutorial_policy[TUTORIAL_A_MAX + 1] = {
	[TUTORIAL_A_MSG] = { .type = NLA_NUL_STRING },
};

static const struct genl_ops tutorial_ops[] = {
	{
		.cmd = TUTORIAL_CMD_ECHO,
		.policy = tutorial_policy,
		.doit = tutorial_echo_doit,
	},
};

static const struct genl_multicast_group tutorial_groups[] = {
	{ .name = TUTORIAL_GROUP },
};

static struct genl_family tutorial_family = {
	.name = TUTORIAL_NAME,
	.version = TUTORIAL_VERSION,
	.maxattr = TUTORIAL_A_MAX,
	.module = THIS_MODULE,
	.ops = tutorial_ops,
	.n_ops = ARRAY_SIZE(tutorial_ops),
	.mcgrps = tutorial_groups,
	.n_mcgrps = ARRAY_SIZE(tutorial_groups),
};

static int __init tutorial_init(void)
{
	int err = -ENOMEM;

	pr_info("init start\n");

	tutorial_kobj = kobject_create_and_add(TUTORIAL_NAME, NULL);
	if (!tutorial_kobj)
		goto out;

	err = sysfs_create_file(tutorial_kobj, &tutorial_ping.attr);
	if (err)
		goto out_kobj;

	err = genl_register_family(&tutorial_family);
	if (!err)
		goto out;

	sysfs_remove_file(tutorial_kobj, &tutorial_ping.attr);
out_kobj:
	kobject_del(tutorial_kobj);
	kobject_put(tutorial_kobj);
out:
	pr_info("init end\n");
	return err;
}

static void __exit tutorial_exit(void)
{
	genl_unregister_family(&tutorial_family);
	sysfs_remove_file(tutorial_kobj, &tutorial_ping.attr);
	kobject_del(tutorial_kobj);
	kobject_put(tutorial_kobj);
	pr_info("exit end\n");
}

module_init(tutorial_init);
module_exit(tutorial_exit);

MODULE_AUTHOR("The genltestd authors");
MODULE_DESCRIPTION("Stand-in for the tutorial's genltest module, for tests");
MODULE_LICENSE("GPL");
