// SPDX-License-Identifier: GPL-2.0-only
/*
 * genltest_linkflap - a family like that of a driver, for tests
 *
 * The family "linkflap" has two multicast groups. A write of "COUNT PORT" to
 * /sys/linkflap/flap multicasts COUNT events in the group "flaps", and a write
 * of "COUNT" to /sys/linkflap/stats as many in the group "stats". Both groups
 * share one sequence, which counts from 1 and also counts events without
 * a receiver. The load id is random, and is new with each load of the module.
 */

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sysfs.h>
#include <net/genetlink.h>

#define LINKFLAP_NAME		"linkflap"
#define LINKFLAP_VERSION	1
#define LINKFLAP_PORT_MAX	15
#define LINKFLAP_MSG_SIZE	256

enum {
	LINKFLAP_A_UNSPEC,
	LINKFLAP_A_PAD,
	LINKFLAP_A_SEQ,
	LINKFLAP_A_LOAD_ID,
	LINKFLAP_A_PORT,
	LINKFLAP_A_STATE,
	LINKFLAP_A_REASON,
	LINKFLAP_A_COUNTER,
	__LINKFLAP_A_MAX,
};

#define LINKFLAP_A_MAX (__LINKFLAP_A_MAX - 1)

enum {
	LINKFLAP_A_PORT_UNSPEC,
	LINKFLAP_A_PORT_NAME,
	LINKFLAP_A_PORT_INDEX,
};

enum {
	LINKFLAP_A_COUNTER_UNSPEC,
	LINKFLAP_A_COUNTER_PAD,
	LINKFLAP_A_COUNTER_STATE,
	LINKFLAP_A_COUNTER_EVENTS,
};

enum {
	LINKFLAP_CMD_UNSPEC,
	LINKFLAP_CMD_GET,
	LINKFLAP_CMD_FLAP_NTF,
	LINKFLAP_CMD_STATS_NTF,
};

enum {
	LINKFLAP_GROUP_FLAPS,
	LINKFLAP_GROUP_STATS,
};

enum {
	LINKFLAP_STATE_DOWN,
	LINKFLAP_STATE_UP,
	__LINKFLAP_STATE_MAX,
};

static struct genl_family linkflap_family;
static struct kobject *linkflap_kobj;

/* Protects the numbers below, and keeps events in the order of their numbers. */
static DEFINE_MUTEX(linkflap_lock);
static u64 linkflap_seq;
static u64 linkflap_load_id;
static u64 linkflap_events[__LINKFLAP_STATE_MAX];

static int linkflap_put_port(struct sk_buff *skb, const char *name, u32 index)
{
	struct nlattr *port = nla_nest_start(skb, LINKFLAP_A_PORT);

	if (!port || nla_put_string(skb, LINKFLAP_A_PORT_NAME, name) ||
	    nla_put_u32(skb, LINKFLAP_A_PORT_INDEX, index))
		return -EMSGSIZE;
	nla_nest_end(skb, port);
	return 0;
}

static int linkflap_put_counter(struct sk_buff *skb, u32 state)
{
	struct nlattr *counter = nla_nest_start(skb, LINKFLAP_A_COUNTER);

	if (!counter || nla_put_u32(skb, LINKFLAP_A_COUNTER_STATE, state) ||
	    nla_put_u64_64bit(skb, LINKFLAP_A_COUNTER_EVENTS,
			      linkflap_events[state], LINKFLAP_A_COUNTER_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, counter);
	return 0;
}

static int linkflap_fill_numbers(struct sk_buff *skb)
{
	if (nla_put_u64_64bit(skb, LINKFLAP_A_SEQ, linkflap_seq,
			      LINKFLAP_A_PAD))
		return -EMSGSIZE;
	return nla_put_u64_64bit(skb, LINKFLAP_A_LOAD_ID, linkflap_load_id,
				 LINKFLAP_A_PAD);
}

static int linkflap_fill_flap(struct sk_buff *skb, const char *port, u32 state)
{
	int err = linkflap_fill_numbers(skb);

	if (!err)
		err = linkflap_put_port(skb, port, 1);
	if (!err)
		err = nla_put_u32(skb, LINKFLAP_A_STATE, state);
	if (!err && state == LINKFLAP_STATE_DOWN)
		err = nla_put_string(skb, LINKFLAP_A_REASON, "carrier lost");
	return err;
}

static int linkflap_fill_stats(struct sk_buff *skb)
{
	int err = linkflap_fill_numbers(skb);
	u32 state;

	for (state = 0; !err && state < __LINKFLAP_STATE_MAX; state++)
		err = linkflap_put_counter(skb, state);
	return err;
}

static int linkflap_send_flap(const char *port)
{
	u32 state = linkflap_seq % __LINKFLAP_STATE_MAX;
	struct sk_buff *skb = genlmsg_new(LINKFLAP_MSG_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put(skb, 0, 0, &linkflap_family, 0,
			  LINKFLAP_CMD_FLAP_NTF);
	if (!hdr || linkflap_fill_flap(skb, port, state)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	linkflap_events[state]++;
	return genlmsg_multicast(&linkflap_family, skb, 0,
				 LINKFLAP_GROUP_FLAPS, GFP_KERNEL);
}

static struct sk_buff *linkflap_stats_msg(u32 portid, u32 seq, u8 cmd)
{
	struct sk_buff *skb = genlmsg_new(LINKFLAP_MSG_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return NULL;
	hdr = genlmsg_put(skb, portid, seq, &linkflap_family, 0, cmd);
	if (!hdr || linkflap_fill_stats(skb)) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

static int linkflap_send_stats(const char *unused)
{
	struct sk_buff *skb = linkflap_stats_msg(0, 0, LINKFLAP_CMD_STATS_NTF);

	if (!skb)
		return -ENOMEM;
	return genlmsg_multicast(&linkflap_family, skb, 0,
				 LINKFLAP_GROUP_STATS, GFP_KERNEL);
}

/* A listener that is absent or slow is not an error of the writer. */
static int linkflap_send(unsigned int count, const char *port,
			 int (*send)(const char *port))
{
	int err = 0;

	mutex_lock(&linkflap_lock);
	while (count-- && !err) {
		linkflap_seq++;
		err = send(port);
		if (err == -ESRCH || err == -ENOBUFS)
			err = 0;
		cond_resched();
	}
	mutex_unlock(&linkflap_lock);
	return err;
}

static ssize_t flap_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	char port[LINKFLAP_PORT_MAX + 1];
	unsigned int events;
	int err;

	if (sscanf(buf, "%u %15s", &events, port) != 2)
		return -EINVAL;
	err = linkflap_send(events, port, linkflap_send_flap);
	return err ?: count;
}

static ssize_t stats_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned int events;
	int err = kstrtouint(buf, 10, &events);

	if (!err)
		err = linkflap_send(events, NULL, linkflap_send_stats);
	return err ?: count;
}

static struct kobj_attribute linkflap_flap = __ATTR_WO(flap);
static struct kobj_attribute linkflap_stats = __ATTR_WO(stats);

static const struct attribute *linkflap_attributes[] = {
	&linkflap_flap.attr,
	&linkflap_stats.attr,
	NULL,
};

static int linkflap_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;

	mutex_lock(&linkflap_lock);
	msg = linkflap_stats_msg(info->snd_portid, info->snd_seq,
				 LINKFLAP_CMD_GET);
	mutex_unlock(&linkflap_lock);
	return msg ? genlmsg_reply(msg, info) : -ENOMEM;
}

static const struct nla_policy linkflap_port_policy[] = {
	[LINKFLAP_A_PORT_NAME] = {
		.type = NLA_NUL_STRING,
		.len = LINKFLAP_PORT_MAX,
	},
	[LINKFLAP_A_PORT_INDEX] = { .type = NLA_U32 },
};

static const struct nla_policy linkflap_policy[LINKFLAP_A_MAX + 1] = {
	[LINKFLAP_A_PORT] = NLA_POLICY_NESTED(linkflap_port_policy),
};

static const struct genl_ops linkflap_ops[] = {
	{
		.cmd = LINKFLAP_CMD_GET,
		.policy = linkflap_policy,
		.doit = linkflap_get_doit,
	},
};

static const struct genl_multicast_group linkflap_groups[] = {
	[LINKFLAP_GROUP_FLAPS] = { .name = "flaps" },
	[LINKFLAP_GROUP_STATS] = { .name = "stats" },
};

static struct genl_family linkflap_family = {
	.name = LINKFLAP_NAME,
	.version = LINKFLAP_VERSION,
	.maxattr = LINKFLAP_A_MAX,
	.module = THIS_MODULE,
	.ops = linkflap_ops,
	.n_ops = ARRAY_SIZE(linkflap_ops),
	.mcgrps = linkflap_groups,
	.n_mcgrps = ARRAY_SIZE(linkflap_groups),
};

static int __init linkflap_init(void)
{
	int err;

	linkflap_load_id = get_random_u64();
	err = genl_register_family(&linkflap_family);
	if (err)
		return err;

	err = -ENOMEM;
	linkflap_kobj = kobject_create_and_add(LINKFLAP_NAME, NULL);
	if (!linkflap_kobj)
		goto out_family;

	err = sysfs_create_files(linkflap_kobj, linkflap_attributes);
	if (!err)
		return 0;

	kobject_put(linkflap_kobj);
out_family:
	genl_unregister_family(&linkflap_family);
	return err;
}

static void __exit linkflap_exit(void)
{
	sysfs_remove_files(linkflap_kobj, linkflap_attributes);
	kobject_put(linkflap_kobj);
	genl_unregister_family(&linkflap_family);
}

module_init(linkflap_init);
module_exit(linkflap_exit);

MODULE_AUTHOR("The genltestd authors");
MODULE_DESCRIPTION("A private family with two groups, for tests");
MODULE_LICENSE("GPL");
