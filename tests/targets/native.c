/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C between Python frames, for test_native.py. It is loaded into interpreters
 * with any C library: what it needs of one comes in by pointer.
 */
typedef int callback(int);
typedef int creator(unsigned long *thread, const void *attr,
		    void *(*start)(void *), void *arg);
typedef int pauser(void);

/* The work after each call keeps it from being a jump. */
static volatile int kept;

__attribute__((noinline)) int native_inner(callback *cb, int n)
{
	int r = cb(n);

	kept = r;
	return r;
}

__attribute__((noinline)) int native_outer(callback *cb, int n)
{
	int r = native_inner(cb, n + 1);

	kept = r;
	return r;
}

static __attribute__((noinline)) int native_waiter(pauser *pause)
{
	int r = pause();

	kept = r;
	return r;
}

static void *native_thread(void *arg)
{
	for (;;)
		kept = native_waiter((pauser *)arg);
	return arg;
}

/* A thread that runs no Python. */
int native_start(creator *create, pauser *pause)
{
	unsigned long thread;

	return create(&thread, 0, native_thread, (void *)pause);
}

/* A call to where no code is, from a function that has a name. */
int native_lost(callback *nowhere, int n)
{
	int r = nowhere(n);

	kept = r;
	return r;
}
