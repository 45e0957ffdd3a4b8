/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump holds as JSON (json-c), fit for scripts and terminals. The caller
 * owns what it is given; NULL is JSON's null. */
#ifndef PYD_DUMP_JSON_H
#define PYD_DUMP_JSON_H

#include <json.h>

#include "dump/render.h"

/* JSON is Unicode: what is none becomes U+FFFD. */
struct json_object *pyd_json_text(const char *s, size_t len);
struct json_object *pyd_json_string(const char *s);
/* With all that is in it. */
struct json_object *pyd_json_value(struct pyd_dump_value v);
/* All keys of a map but the n named ones. */
struct json_object *pyd_json_map(struct pyd_dump_value map,
				 const char *const *names, size_t n);
/* Characters that a terminal might obey are escapes of JSON: they occur in
 * strings only. */
PYD_MUST_CHECK enum pyd_code pyd_json_write(struct json_object *o,
					    const struct pyd_sink *sink,
					    struct pyd_err *err);

#endif
