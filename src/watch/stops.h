/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to traced threads: signals, breakpoints, new ones, the end.
 */
#ifndef PYD_WATCH_STOPS_H
#define PYD_WATCH_STOPS_H

#include "watch/tracing.h"

/* Handles all that threads have reported, without waiting for more. */
void pyd_stops_drain(struct pyd_tracing *w);

#endif
