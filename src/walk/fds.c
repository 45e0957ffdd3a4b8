// SPDX-License-Identifier: Apache-2.0
#include "walk/fds.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "target/procfs.h"
#include "walk/pack.h"

enum {
	FDS_MAX = 20000,      /* that are listed */
	TABLE_MAX = 16 << 20, /* bytes of a file in /proc/PID/net */
	ADDRESS_CAP = 160,
};

/* -- sockets -- */

struct address {
	char text[ADDRESS_CAP]; /* "127.0.0.1:80", "[::1]:80", a path; "": none
				 */
};

struct sock {
	uint64_t inode;
	const char *family; /* as Python names it */
	const char *type;
	const char *state; /* NULL: not told */
	struct address local, peer;
};

struct pyd_socks {
	bool loaded;
	struct sock *v;
	size_t n, cap;
};

static const char *tcp_state(unsigned int state)
{
	static const char *const names[] = {
		NULL,	      "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
		"FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
		"CLOSE_WAIT", "LAST_ACK",    "LISTEN",	  "CLOSING",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : NULL;
}

static void add(struct pyd_socks *s, const struct sock *sock)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct sock *v = reallocarray(s->v, cap, sizeof(*v));

		if (!v)
			return; /* the fd is listed without its peer */
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = *sock;
}

/* "0100007F:1F90": the words of the address in the machine's order. */
static bool parse_address(const char *hex, bool six, struct address *ret)
{
	uint32_t words[4] = { 0 };
	unsigned int port;
	char ip[INET6_ADDRSTRLEN];
	size_t n = six ? 4 : 1;

	for (size_t i = 0; i < n; i++, hex += 8)
		if (sscanf(hex, "%8x", &words[i]) != 1)
			return false;
	if (sscanf(hex, ":%4x", &port) != 1 ||
	    !inet_ntop(six ? AF_INET6 : AF_INET, words, ip, sizeof(ip)))
		return false;
	ret->text[0] = '\0';
	if (port || strspn(ip, "0.:") != strlen(ip))
		snprintf(ret->text, sizeof(ret->text),
			 six ? "[%s]:%u" : "%s:%u", ip, port);
	return true;
}

static void parse_inet(struct pyd_socks *s, char *line, bool six, bool tcp)
{
	char local[40], peer[40];
	unsigned int state;
	unsigned long long inode;
	struct sock sock = {
		.family = six ? "AF_INET6" : "AF_INET",
		.type = tcp ? "SOCK_STREAM" : "SOCK_DGRAM",
	};

	if (sscanf(line, " %*[^:]: %39s %39s %x %*s %*s %*s %*s %*s %llu",
		   local, peer, &state, &inode) != 4 ||
	    !parse_address(local, six, &sock.local) ||
	    !parse_address(peer, six, &sock.peer))
		return;
	sock.inode = inode;
	if (tcp)
		sock.state = tcp_state(state);
	add(s, &sock);
}

static void parse_unix(struct pyd_socks *s, char *line)
{
	unsigned int type;
	unsigned long long inode;
	int path = 0;
	struct sock sock = { .family = "AF_UNIX" };

	if (sscanf(line, "%*s %*s %*s %*s %x %*s %llu%n", &type, &inode,
		   &path) != 2)
		return;
	sock.inode = inode;
	sock.type = type == SOCK_STREAM	     ? "SOCK_STREAM"
		    : type == SOCK_DGRAM     ? "SOCK_DGRAM"
		    : type == SOCK_SEQPACKET ? "SOCK_SEQPACKET"
					     : "?";
	snprintf(sock.local.text, sizeof(sock.local.text), "%s",
		 line + path + strspn(line + path, " "));
	add(s, &sock);
}

static int by_inode(const void *a, const void *b)
{
	const struct sock *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void load(struct pyd_socks *s, pid_t pid)
{
	static const struct {
		const char *file;
		bool six, tcp, local;
	} tables[] = {
		{ "net/tcp", false, true, false },
		{ "net/tcp6", true, true, false },
		{ "net/udp", false, false, false },
		{ "net/udp6", true, false, false },
		{ "net/unix", false, false, true },
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct pyd_buf buf = { 0 };
		struct pyd_err ignored;
		char *save = NULL;
		char *line;

		if (pyd_procfs_read(pid, tables[i].file, TABLE_MAX, &buf,
				    &ignored)) {
			pyd_buf_deinit(&buf);
			continue;
		}
		/* The first line is the heading. */
		line = strtok_r((char *)buf.data, "\n", &save);
		while (line && (line = strtok_r(NULL, "\n", &save))) {
			if (tables[i].local)
				parse_unix(s, line);
			else
				parse_inet(s, line, tables[i].six,
					   tables[i].tcp);
		}
		pyd_buf_deinit(&buf);
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_inode);
}

/* What target, "socket:[INODE]", is; NULL: no socket, or not in the tables,
 * which are read when the first one is asked for. */
static const struct sock *find(struct pyd_socks *s, pid_t pid,
			       const char *target)
{
	struct sock key = { 0 };
	unsigned long long inode;

	if (sscanf(target, "socket:[%llu]", &inode) != 1)
		return NULL;
	if (!s->loaded)
		load(s, pid);
	s->loaded = true;
	key.inode = inode;
	return s->n ? bsearch(&key, s->v, s->n, sizeof(key), by_inode) : NULL;
}

/* -- the list -- */

static void pack_socket(struct pyd_pack *p, struct pyd_redact *redact,
			const struct sock *s)
{
	pyd_pack_map(p, 5);
	pyd_pack_kv_text(p, "family", s->family);
	pyd_pack_kv_text(p, "type", s->type);
	pyd_pack_kv_text(p, "state", s->state);
	pyd_pack_text(p, "local");
	pyd_redact_pack(redact, p, *s->local.text ? s->local.text : NULL);
	pyd_pack_kv_text(p, "peer", *s->peer.text ? s->peer.text : NULL);
}

static void pack_fd(struct pyd_pack *p, pid_t pid, struct pyd_redact *redact,
		    int fd, struct pyd_socks *socks)
{
	char name[64], target[4096];
	struct pyd_buf info = { 0 };
	struct pyd_err ignored;
	const struct sock *found;
	long long pos = -1;
	unsigned int flags = 0;
	bool told;

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (pyd_procfs_link(pid, name, target, sizeof(target), &ignored))
		snprintf(target, sizeof(target), "?");
	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	told = !pyd_procfs_read(pid, name, 4096, &info, &ignored) &&
	       sscanf((const char *)info.data, "pos: %lld flags: %o", &pos,
		      &flags) == 2;
	pyd_buf_deinit(&info);
	found = find(socks, pid, target);
	pyd_pack_map(p, found ? 5 : 4);
	pyd_pack_kv_u64(p, "fd", (uint64_t)fd);
	pyd_pack_text(p, "target");
	pyd_redact_pack(redact, p, target);
	pyd_pack_kv_opt(p, "pos", told ? pos : -1);
	pyd_pack_kv_opt(p, "flags", told ? (int64_t)flags : -1);
	if (found) {
		pyd_pack_text(p, "socket");
		pack_socket(p, redact, found);
	}
}

/* Numbers of the open files, ascending. */
static enum pyd_code list(pid_t pid, struct pyd_vec *ret, struct pyd_err *err)
{
	char path[64];
	DIR *dir;
	const struct dirent *e;
	enum pyd_code code = PYD_OK;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !code && (e = readdir(dir)))
		if (*e->d_name >= '0' && *e->d_name <= '9')
			code = pyd_vec_push(ret, strtoul(e->d_name, NULL, 10),
					    err);
	if (dir)
		closedir(dir);
	return code;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void pack(struct pyd_pack *p, pid_t pid, struct pyd_redact *redact,
		 const struct pyd_vec *fds, struct pyd_socks *socks)
{
	size_t n = fds->len < FDS_MAX ? fds->len : FDS_MAX;

	pyd_pack_map(p, 3);
	pyd_pack_kv_text(p, "kind", "fds");
	pyd_pack_kv_u64(p, "total", fds->len);
	pyd_pack_text(p, "fds");
	pyd_pack_array(p, n);
	for (size_t i = 0; i < n; i++)
		pack_fd(p, pid, redact, (int)fds->data[i], socks);
}

enum pyd_code pyd_fds_write(const struct pyd_process *p,
			    struct pyd_redact *redact, struct pyd_writer *w,
			    struct pyd_err *err)
{
	struct pyd_vec fds = { 0 };
	struct pyd_socks socks = { 0 };
	struct pyd_pack pack_;
	enum pyd_code code = list(p->pid, &fds, err);

	if (code) {
		pyd_vec_deinit(&fds);
		return code;
	}
	if (fds.len)
		qsort(fds.data, fds.len, sizeof(*fds.data), by_number);
	pyd_pack_init(&pack_);
	pack(&pack_, p->pid, redact, &fds, &socks);
	code = pyd_pack_check(&pack_, err);
	if (!code)
		code = pyd_writer_frame(w, "fds", &pack_.buf, NULL, 0, err);
	pyd_pack_deinit(&pack_);
	free(socks.v);
	pyd_vec_deinit(&fds);
	return code;
}

void pyd_fds_text(const struct pyd_process *p, struct pyd_socks **socks, int fd,
		  char *buf, size_t cap)
{
	char name[64];
	struct pyd_err ignored;
	const struct sock *found;

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (pyd_procfs_link(p->pid, name, buf, cap, &ignored)) {
		buf[0] = '\0';
		return;
	}
	if (!*socks)
		*socks = calloc(1, sizeof(**socks));
	if (!*socks)
		return;
	found = find(*socks, p->pid, buf);
	if (found && !strcmp(found->family, "AF_UNIX"))
		snprintf(buf, cap, "socket AF_UNIX %s", found->local.text);
	else if (found)
		snprintf(buf, cap, "socket %s %s%s%s%s%s",
			 strcmp(found->type, "SOCK_STREAM") ? "UDP" : "TCP",
			 found->local.text, *found->peer.text ? " -> " : "",
			 found->peer.text, found->state ? ", " : "",
			 found->state ? found->state : "");
}

void pyd_socks_destroy(struct pyd_socks *s)
{
	if (s)
		free(s->v);
	free(s);
}
