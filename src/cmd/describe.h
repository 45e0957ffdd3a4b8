/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words about processes for people and for JSON, shared by ps and doctor.
 */
#ifndef PYD_CMD_DESCRIBE_H
#define PYD_CMD_DESCRIBE_H

#include <json-c/json.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* The login name of uid, or its number. */
void pyd_describe_user(uid_t uid, char *buf, size_t cap);
/*
 * The command line of a process as one line, in valid UTF-8 without control
 * characters: both could confuse a terminal. "[comm]" when it has none. Cut at
 * cap - 1.
 */
void pyd_describe_command(pid_t pid, const char *comm, char *buf, size_t cap);
/* The same for any text; len bytes, NULs become blanks. */
void pyd_describe_text(const char *text, size_t len, char *buf, size_t cap);
/* A JSON string out of text that may not be valid UTF-8. */
struct json_object *pyd_describe_json(const char *text);

#endif
