/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads wait for: system calls, the GIL, locks and who holds them,
 * deadlocks: the part "waits" of a dump.
 *
 * What is said is proven by the memory: the word that a thread waits at lies
 * in the lock; an RLock and a mutex name their owner; a plain lock is held by
 * the one thread that is inside a "with" of it. What cannot be proven is said
 * to be not known.
 */
#ifndef PYD_WALK_WAITS_H
#define PYD_WALK_WAITS_H

#include "base/say.h"
#include "read/frame.h"
#include "runtime/runtime.h"
#include "target/syscall.h"
#include "walk/pack.h"
#include "walk/redact.h"
#include "walk/subject.h"

enum {
	PYD_WAITS_NONE = -1,
	PYD_WAITS_FRAMES = 48, /* of a thread that are looked at */
	PYD_WAITS_TEXT = 800,
	PYD_WAITS_SENTENCE = 16000, /* of circles of many threads */
};

/* What a thread waits for. */
enum pyd_wait {
	PYD_WAIT_NOTHING,   /* it runs, or nothing is known */
	PYD_WAIT_SYSCALL,   /* the system call says all */
	PYD_WAIT_GIL,	    /* the interpreter */
	PYD_WAIT_LOCK,	    /* a lock object, or what else has an owner */
	PYD_WAIT_MUTEX,	    /* one of the C library */
	PYD_WAIT_CONDITION, /* threading.Condition and what is made of it */
	PYD_WAIT_EVENT,
	PYD_WAIT_SEMAPHORE,
	PYD_WAIT_BARRIER,
	PYD_WAIT_QUEUE,
	PYD_WAIT_FUTURE,
	PYD_WAIT_JOIN, /* the end of a thread */
	PYD_WAIT_IMPORT,
	PYD_WAIT_FUTEX, /* a word of memory; nothing more is known */
};

/* One thread of the process: those of Python first, in the dump's order. */
struct pyd_waiter {
	const struct pyd_pythread *py; /* NULL: runs no Python */
	const struct pyd_thread *os;   /* NULL: not known */
	struct pyd_syscall call;
	/* Newest first: addresses of frames. */
	struct pyd_vec frames;
	/* Objects that frames are inside a "with" of, two words each: the
	 * object and the number of the frame. */
	struct pyd_vec inside;

	enum pyd_wait wait;
	pyd_addr object;	   /* that people know it by, or 0 */
	int lock;		   /* position in locks, or PYD_WAITS_NONE */
	int on;			   /* the thread that it waits for; likewise */
	bool timed;		   /* it ends by itself */
	char what[PYD_WAITS_TEXT]; /* "Event done to be set" */
};

enum pyd_lock_kind {
	PYD_LOCK_PLAIN,	 /* threading.Lock */
	PYD_LOCK_RLOCK,	 /* threading.RLock */
	PYD_LOCK_OBJECT, /* in an object that is no lock */
	PYD_LOCK_MUTEX,	 /* pthread_mutex_t */
	PYD_LOCK_GIL,
	PYD_LOCK_END,	/* that a thread holds until it ends, for join() */
	PYD_LOCK_OTHER, /* of the interpreter's own; no object known */
};

struct pyd_lock {
	enum pyd_lock_kind kind;
	pyd_addr object; /* or 0 */
	pyd_addr word;	 /* that threads wait at, or 0 */
	bool locked;
	uint64_t count; /* of an RLock: how often it is held */
	int owner;	/* position of the thread, or PYD_WAITS_NONE */
	bool many;	/* more than one thread seems to hold it */
	bool orphan;	/* for certain none of the process's threads does */
	char type[64];
	char name[256]; /* "" when it has none */
};

struct pyd_deadlock {
	int *threads; /* each waits for the next, the last for the first */
	size_t n;
	bool pool; /* all threads of a pool, each of which waits for any */
};

struct pyd_waits {
	const struct pyd_subject *subject;
	const struct pyd_runtime *rt;
	struct pyd_reader *r;
	struct pyd_waiter *v;
	size_t n, npy;
	struct pyd_lock *locks;
	size_t nlocks;
	struct pyd_deadlock *deadlocks;
	size_t ndeadlocks;
	/* Locks that threads hold until they end -> position, + 1. */
	struct pyd_map ends;
	/* Namespaces of the modules of all frames near the top, each once. */
	struct pyd_map seen_spaces;
	struct pyd_vec spaces;
	/* Names of objects in namespaces, made when first asked for. */
	bool indexed;
	struct pyd_map index;	/* object -> position in entries, + 1 */
	struct pyd_vec entries; /* three words: key, holder or 0, namespace */
};

/* Once threads are listed; rt, r and subject outlive it. */
PYD_MUST_CHECK enum pyd_code pyd_waits_begin(struct pyd_waits *w,
					     const struct pyd_subject *subject,
					     const struct pyd_runtime *rt,
					     struct pyd_reader *r,
					     struct pyd_err *err);
/* A frame of a thread; each once, the newest first. */
PYD_MUST_CHECK enum pyd_code pyd_waits_frame(struct pyd_waits *w, size_t thread,
					     uint64_t number,
					     const struct pyd_frame *f,
					     struct pyd_err *err);
/* After the last frame: finds out and writes. */
PYD_MUST_CHECK enum pyd_code pyd_waits_write(struct pyd_waits *w,
					     struct pyd_redact *redact,
					     struct pyd_writer *writer,
					     struct pyd_err *err);
void pyd_waits_deinit(struct pyd_waits *w);

/* -- of the files waits_*.c alone -- */

/* Sets what every thread waits for, and the locks. */
PYD_MUST_CHECK enum pyd_code pyd_waits_find(struct pyd_waits *w,
					    struct pyd_err *err);
/* Sets the owners of plain locks, where one is known. */
PYD_MUST_CHECK enum pyd_code pyd_waits_holders(struct pyd_waits *w,
					       struct pyd_err *err);
/* Reads an object that is not freed; false when it is none. */
bool pyd_waits_object(const struct pyd_waits *w, pyd_addr at,
		      struct pyd_obj *ret);
/* Fills in what a lock object says of itself. */
void pyd_waits_read_lock(const struct pyd_waits *w, const struct pyd_obj *o,
			 struct pyd_lock *l);
/* Says by the frames what a wait is for people; after the lock is known. */
PYD_MUST_CHECK enum pyd_code pyd_waits_explain(struct pyd_waits *w, size_t i,
					       struct pyd_err *err);
/* Finds circles of threads. */
PYD_MUST_CHECK enum pyd_code pyd_waits_circles(struct pyd_waits *w,
					       struct pyd_err *err);
/* The lock of that object or word, made when it is new. */
PYD_MUST_CHECK enum pyd_code pyd_waits_lock(struct pyd_waits *w,
					    const struct pyd_lock *like,
					    int *ret, struct pyd_err *err);
/* How a person knows an object: a variable, an attribute; "" if not at all.
 * i: the thread whose frames are looked at first. */
PYD_MUST_CHECK enum pyd_code pyd_waits_name(struct pyd_waits *w, size_t i,
					    pyd_addr object, char *buf,
					    size_t cap, struct pyd_err *err);
/* The thread of that threading.get_ident(), or PYD_WAITS_NONE. */
int pyd_waits_by_ident(const struct pyd_waits *w, uint64_t ident);
/* "thread 1 (seller)" */
void pyd_waits_thread_text(const struct pyd_waits *w, int i, char *buf,
			   size_t cap);
/* "Lock ledger_lock"; what is held or waited for. */
void pyd_waits_lock_text(const struct pyd_lock *l, char *buf, size_t cap);
/* What thread i waits for, without a subject; "" for nothing to say. */
void pyd_waits_say_wait(const struct pyd_waits *w, size_t i, char *buf,
			size_t cap);
void pyd_waits_say_deadlock(const struct pyd_waits *w,
			    const struct pyd_deadlock *d, char *buf,
			    size_t cap);
/* Who keeps GIL k from others while it is in C; false: nobody. */
bool pyd_waits_say_gil(const struct pyd_waits *w, size_t k, char *buf,
		       size_t cap);
/* Name of a module that a namespace is of; "" if none. */
void pyd_waits_module(struct pyd_reader *r, pyd_addr globals, char *buf,
		      size_t cap);
/* A variable of a frame by name, out of its cell; 0 when not set. */
pyd_addr pyd_waits_var(struct pyd_reader *r, const struct pyd_frame *f,
		       const char *name);
/* Packs the system call of a thread: a map, or nil. */
void pyd_waits_pack_call(const struct pyd_waits *w, const struct pyd_waiter *t,
			 struct pyd_redact *redact, struct pyd_pack *p);
/* "sits in read(3, ...)". */
void pyd_waits_say_call(const struct pyd_waits *w, const struct pyd_waiter *t,
			struct pyd_say *out);
/* Whether the call ends by a time that was given. */
bool pyd_waits_is_timed(const struct pyd_syscall *c);

#endif
