/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options that every command that dumps has: limits, tables, secrets, -v and
 * -q. A command has pyd_dump_argp as an argp child, with a struct
 * pyd_dump_options as the child's input. Likewise one of pyd_live_argp (how to
 * stop a process and take its memory) and pyd_ended_argp (refuses that).
 */
#ifndef PYD_CMD_OPTIONS_H
#define PYD_CMD_OPTIONS_H

#include <argp.h>

#include "walk/snapshot.h"

struct pyd_dump_options {
	struct pyd_snapshot_options snapshot; /* owns rules, include, exclude */
	const char *redact;		      /* file of rules, may be NULL */
	bool no_redact;
};

extern const struct argp pyd_dump_argp;
extern const struct argp pyd_live_argp;
extern const struct argp pyd_ended_argp;

void pyd_dump_options_init(struct pyd_dump_options *d);
/* After the parsing: reads the rules about secrets. PYD_USAGE: they do not
 * parse. */
PYD_MUST_CHECK enum pyd_code pyd_dump_options_rules(struct pyd_dump_options *d,
						    struct pyd_err *err);
void pyd_dump_options_deinit(struct pyd_dump_options *d);

/* A positive whole number, with K, M, G, T where suffix says so; ends the
 * program with a usage error that names the option. */
uint64_t pyd_parse_size(struct argp_state *state, const char *name,
			const char *text, bool suffix);
/* Seconds with a fraction, as nanoseconds. */
uint64_t pyd_parse_seconds(struct argp_state *state, const char *name,
			   const char *text);
pid_t pyd_parse_pid(struct argp_state *state, const char *text);

#endif
