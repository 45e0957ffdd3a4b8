// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a text, a source and a file of rules; what is found lies in the
 * text, and masking keeps what is no secret. */
#include <stdlib.h>
#include <string.h>

#include "secrets/known.h"
#include "walk/redact_state.h"

static struct pyd_rules *rules;
static struct pyd_matcher matcher;

static void check(const uint8_t *data, size_t size, struct pyd_spans *spans)
{
	uint8_t *copy = malloc(size + 1);
	size_t n, covered = 0;

	if (!copy)
		return;
	memcpy(copy, data, size);
	pyd_spans_merge(spans);
	for (size_t i = 0; i < spans->n; i++) {
		if (spans->v[i].at > size ||
		    spans->v[i].len > size - spans->v[i].at)
			abort();
		if (i &&
		    spans->v[i].at < spans->v[i - 1].at + spans->v[i - 1].len)
			abort();
		covered += spans->v[i].len;
	}
	n = pyd_redact_mask(copy, size, spans, false);
	if (n != size || covered > size)
		abort();
	n = pyd_redact_mask(copy, size, spans, true);
	if (n > size)
		abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyd_err err;
	struct pyd_spans spans = { 0 };
	struct pyd_rules *own = NULL;
	struct pyd_known known;

	if (!rules && (pyd_rules_create(&rules, &err) ||
		       pyd_matcher_init(&matcher, rules, &err)))
		abort();
	(void)pyd_match_worth(&matcher, data, size);
	if (pyd_match(&matcher, data, size, PYD_MATCH_ALL, &spans, &err))
		abort();
	check(data, size, &spans);
	spans.n = 0;
	if (pyd_match_source(&matcher, data, size, &spans, &err))
		abort();
	check(data, size, &spans);
	spans.n = 0;
	if (!pyd_known_init(&known, &err)) {
		/* What begins the text is found in it. */
		size_t len = size < 24 ? size / 2 : 12;

		if (!pyd_known_add(&known, data, len, &err) &&
		    pyd_known_find(&known, data, size, 0, &spans, &err))
			abort();
		if (known.ngrams && !spans.n)
			abort();
		check(data, size, &spans);
		pyd_known_deinit(&known);
	}
	pyd_spans_deinit(&spans);
	if (size < 4096 && !pyd_rules_create(&own, &err)) {
		(void)!pyd_rules_parse(own, "fuzz", (const char *)data, size,
				       &err);
		pyd_rules_destroy(own);
	}
	return 0;
}
