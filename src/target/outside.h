/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mapped and not in a capture, and the memory that a fork does not
 * get: a region with MADV_DONTFORK is missing in the child, one with
 * MADV_WIPEONFORK is zeros there, which would be wrong values.
 */
#ifndef PYD_TARGET_OUTSIDE_H
#define PYD_TARGET_OUTSIDE_H

#include "target/maps.h"
#include "target/process.h"

enum pyd_outside_why {
	PYD_OUTSIDE_DONTFORK,
	PYD_OUTSIDE_WIPEONFORK,
	PYD_OUTSIDE_SHARED,
	PYD_OUTSIDE_DEVICE,
	PYD_OUTSIDE_UNREADABLE,
};
/* "dontfork", "wipeonfork", "shared", "device", "unreadable" */
const char *pyd_outside_word(enum pyd_outside_why why);

struct pyd_outside_range {
	pyd_addr start;
	pyd_addr end;
	enum pyd_outside_why why;
	char *path;    /* owned; "" if none */
	uint8_t *data; /* it was copied after all; NULL: it was not */
	size_t mapped; /* bytes at data, of mmap */
};

struct pyd_outside {
	struct pyd_outside_range *v; /* sorted by start, not overlapping */
	size_t n;
	size_t cap;
	size_t nshared; /* those of pyd_outside_shared(), which come first
			 * until all are sorted */
	/* Of the process, where the child lacks some; else empty. */
	struct pyd_maps maps;
};

PYD_MUST_CHECK enum pyd_code pyd_outside_add(struct pyd_outside *o,
					     const struct pyd_region *r,
					     enum pyd_outside_why why,
					     struct pyd_err *err);
/* Device memory: reading it may do something. */
bool pyd_region_is_device(const struct pyd_region *r);
/* Memory that the process can read and others may change. A file that it has
 * mapped to read it is none: that is read as text is. */
bool pyd_region_is_shared(const struct pyd_region *r);

/* While p stands still, before all others: copies such memory, 8 MiB in all; no
 * range for what is beyond that. o is empty. */
PYD_MUST_CHECK enum pyd_code pyd_outside_shared(const struct pyd_process *p,
						struct pyd_outside *o,
						struct pyd_err *err);

/* While p stands still and child is its snapshot: copies what the child lacks,
 * anonymous memory up to 64 MiB. */
PYD_MUST_CHECK enum pyd_code pyd_outside_take(const struct pyd_process *p,
					      pid_t child,
					      struct pyd_outside *o,
					      struct pyd_err *err);
/* At any time later: looks through the child. PYD_UNSUPPORTED: the kernel does
 * not tell what is wiped. */
PYD_MUST_CHECK enum pyd_code pyd_outside_look(pid_t child,
					      struct pyd_outside *o,
					      struct pyd_err *err);
/* Of a target by its regions: devices, and what is shared unless all of it is
 * read while the process stands still. */
PYD_MUST_CHECK enum pyd_code pyd_outside_list(const struct pyd_target *t,
					      bool stands,
					      struct pyd_outside *o,
					      struct pyd_err *err);
/* What could not be read while it stood still: pairs of start and end; t as it
 * is mapped. Last of all. */
PYD_MUST_CHECK enum pyd_code pyd_outside_unread(const struct pyd_target *t,
						const struct pyd_vec *unread,
						struct pyd_outside *o,
						struct pyd_err *err);
/* inner, but that what is outside of it is read from the copies or is a fault
 * with the reason. o and inner must outlive it. */
PYD_MUST_CHECK enum pyd_code pyd_target_outside_create(
	const struct pyd_outside *o, struct pyd_target *inner,
	struct pyd_target **ret, struct pyd_err *err);
void pyd_outside_deinit(struct pyd_outside *o);

#endif
