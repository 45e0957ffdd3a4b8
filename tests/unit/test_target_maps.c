// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "target/maps.h"
#include "target/procfs.h"

static struct pyd_err err;

static struct pyd_maps parsed(const char *text)
{
	struct pyd_maps m;

	cr_assert_eq(pyd_maps_parse(text, strlen(text), &m, &err), PYD_OK, "%s",
		     err.msg);
	return m;
}

Test(maps, lines)
{
	struct pyd_maps m = parsed(
		"00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/x\n"
		"00e03000-00e24000 rw-p 00000000 00:00 0           [heap]\n"
		"35b1800000-35b1820000 rw-s 00000000 fd:1f 7  /dev/shm/a b c\n"
		"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  "
		"[vsyscall]\n");
	const struct pyd_region *r = m.regions;

	cr_assert_eq(m.n, 5);
	cr_expect_eq(r[0].start, 0x400000);
	cr_expect_eq(r[0].end, 0x452000);
	cr_expect_eq(r[0].prot, PYD_PROT_R | PYD_PROT_X);
	cr_expect_eq(r[0].file_offset, 0x1000);
	cr_expect_eq(r[0].dev, makedev(8, 2));
	cr_expect_eq(r[0].inode, 173521);
	cr_expect_str_eq(r[0].path, "/usr/bin/x");
	cr_expect_str_eq(r[1].path, "[heap]");
	cr_expect_eq(r[1].inode, 0);
	cr_expect_eq(r[2].prot, PYD_PROT_R | PYD_PROT_W | PYD_PROT_SHARED);
	cr_expect_str_eq(r[2].path, "/dev/shm/a b c");
	cr_expect_eq(r[2].dev, makedev(0xfd, 0x1f));
	cr_expect_eq(r[3].prot, 0);
	cr_expect_str_eq(r[3].path, "");
	cr_expect_eq(r[4].start, 0xffffffffff600000);
	pyd_maps_deinit(&m);
}

Test(maps, odd_names)
{
	struct pyd_maps m = parsed(
		"1000-2000 r--p 00000000 08:02 1    /tmp/gone (deleted)\n"
		"2000-3000 r--p 00000000 08:02 2    /tmp/two\\012lines "
		"(deleted)\n"
		"3000-4000 r--p 00000000 08:02 3    /tmp/ (deleted) in it\n"
		"4000-5000 r--p 00000000 08:02 4    /tmp/back\\slash\\01\n"
		"5000-6000 rw-p 00000000 00:01 5    /memfd:x (y) (deleted)\n");

	cr_assert_eq(m.n, 5);
	cr_expect_str_eq(m.regions[0].path, "/tmp/gone");
	cr_expect(m.regions[0].deleted);
	cr_expect_str_eq(m.regions[1].path, "/tmp/two\nlines");
	cr_expect(m.regions[1].deleted);
	cr_expect_str_eq(m.regions[2].path, "/tmp/ (deleted) in it");
	cr_expect_not(m.regions[2].deleted);
	cr_expect_str_eq(m.regions[3].path, "/tmp/back\\slash\\01");
	cr_expect_str_eq(m.regions[4].path, "/memfd:x (y)");
	pyd_maps_deinit(&m);
}

/* The file is read while it changes. */
Test(maps, torn)
{
	struct pyd_maps m = parsed("5000-6000 rw-p 0 00:00 0 \n"
				   "1000-3000 rw-p 0 00:00 0 \n"
				   "2000-4000 rw-p 0 00:00 0 \n"
				   "1000-3000 rw-p 0 00:00 0 \n"
				   "7000-80");

	cr_assert_eq(m.n, 2);
	cr_expect_eq(m.regions[0].start, 0x1000);
	cr_expect_eq(m.regions[0].end, 0x3000);
	cr_expect_eq(m.regions[1].start, 0x5000);
	pyd_maps_deinit(&m);
}

Test(maps, refused)
{
	static const char *const bad[] = {
		"\n",
		"hello\n",
		"1000-2000\n",
		"1000-1000 rw-p 0 00:00 0 \n",
		"2000-1000 rw-p 0 00:00 0 \n",
		"1000-2000 rw\n",
		"1000-2000 rw-p x 00:00 0 \n",
		"1000-2000 rw-p 0 00:00 \n",
		"11112222333344445-2 rw-p 0 00:00 0 \n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pyd_maps m;

		cr_expect_eq(pyd_maps_parse(bad[i], strlen(bad[i]), &m, &err),
			     PYD_CORRUPT, "taken: %s", bad[i]);
	}
}

Test(maps, find)
{
	struct pyd_maps m = parsed("1000-3000 rw-p 0 00:00 0 \n"
				   "3000-4000 r--p 0 00:00 0 \n"
				   "6000-7000 r--p 0 00:00 0 \n");

	cr_expect_null(pyd_regions_find(m.regions, m.n, 0xfff));
	cr_expect_eq(pyd_regions_find(m.regions, m.n, 0x1000), &m.regions[0]);
	cr_expect_eq(pyd_regions_find(m.regions, m.n, 0x2fff), &m.regions[0]);
	cr_expect_eq(pyd_regions_find(m.regions, m.n, 0x3000), &m.regions[1]);
	cr_expect_null(pyd_regions_find(m.regions, m.n, 0x4000));
	cr_expect_null(pyd_regions_find(m.regions, m.n, 0x5fff));
	cr_expect_eq(pyd_regions_find(m.regions, m.n, 0x6fff), &m.regions[2]);
	cr_expect_null(pyd_regions_find(m.regions, m.n, 0x7000));
	cr_expect_null(pyd_regions_find(m.regions, m.n, UINT64_MAX));
	cr_expect_null(pyd_regions_find(NULL, 0, 0x1000));
	pyd_maps_deinit(&m);
}

Test(maps, of_this_process)
{
	struct pyd_maps m;
	int here = 0;

	cr_assert_eq(pyd_maps_read(getpid(), &m, &err), PYD_OK);

	const struct pyd_region *r =
		pyd_regions_find(m.regions, m.n, (pyd_addr)(uintptr_t)&here);

	cr_assert(r);
	cr_expect_eq(r->prot, PYD_PROT_R | PYD_PROT_W);
	pyd_maps_deinit(&m);
}

Test(procfs, stat_of_odd_names)
{
	struct pyd_proc_stat s;

	cr_assert_eq(
		pyd_procfs_parse_stat(
			"42 (a) R 1 (b) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 "
			"8 20 0 12 0 98765 4096000 250 18446744073709551615",
			&s, &err),
		PYD_OK);
	cr_expect_str_eq(s.comm, "a) R 1 (b");
	cr_expect_eq(s.state, 'S');
	cr_expect_eq(s.ppid, 7);
	cr_expect_eq(s.flags, 4194560);
	cr_expect_eq(s.threads, 12);
	cr_expect_eq(s.start_time, 98765);
	cr_expect_eq(s.vsize, 4096000);
	cr_expect_eq(s.rss, 250 * (uint64_t)sysconf(_SC_PAGESIZE));
	cr_expect_neq(pyd_procfs_parse_stat("", &s, &err), PYD_OK);
	cr_expect_neq(pyd_procfs_parse_stat("1 )(", &s, &err), PYD_OK);
	cr_expect_neq(pyd_procfs_parse_stat("1 (x) R 1", &s, &err), PYD_OK);
}

Test(procfs, this_process)
{
	struct pyd_proc_status s;
	struct pyd_vec tids = { 0 };

	cr_assert_eq(pyd_procfs_status(getpid(), 0, &s, &err), PYD_OK);
	cr_expect_eq(s.tgid, getpid());
	cr_expect_eq(s.uid, getuid());
	cr_assert_geq(s.n_ns_pids, 1);
	cr_expect_eq(s.ns_pids[s.n_ns_pids - 1], getpid());
	cr_assert_eq(pyd_procfs_tasks(getpid(), &tids, &err), PYD_OK);
	cr_assert_geq(tids.len, 1);
	pyd_vec_deinit(&tids);
}
