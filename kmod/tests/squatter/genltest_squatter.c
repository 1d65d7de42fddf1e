// SPDX-License-Identifier: GPL-2.0-only
/*
 * genltest_squatter - another module that owns the directory /sys/genltest
 *
 * For tests only: genltest must not load with it, and must log the reason.
 */

#include <linux/kobject.h>
#include <linux/module.h>

static struct kobject *squatter_kobj;

static int __init squatter_init(void)
{
	squatter_kobj = kobject_create_and_add("genltest", NULL);
	return squatter_kobj ? 0 : -ENOMEM;
}

static void __exit squatter_exit(void)
{
	kobject_del(squatter_kobj);
	kobject_put(squatter_kobj);
}

module_init(squatter_init);
module_exit(squatter_exit);

MODULE_AUTHOR("The genltestd authors");
MODULE_DESCRIPTION("Creates the directory /sys/genltest, for tests");
MODULE_LICENSE("GPL");
