/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small core file of x86-64, made by hand: a program with unwind tables, a
 * stack that goes through it, and two threads. For tests and fuzzers.
 */
#ifndef PYD_TESTS_COREFILE_H
#define PYD_TESTS_COREFILE_H

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

enum {
	COREFILE_ROOM = 1 << 16,
	COREFILE_PAGE = 4096,
	COREFILE_PHDRS = 8,
	/* Where its parts were in the process. */
	COREFILE_EXE = 0x400000,
	COREFILE_STACK = 0x7f0000000000,
	COREFILE_SP = COREFILE_STACK + 0x800,
	COREFILE_GAP = 0x500000, /* a page that the core leaves out */
	/* In the program. */
	COREFILE_CODE = 0x200,
	COREFILE_CODE_LEN = 0x100,
	COREFILE_PID = 4242,
};

struct corefile {
	uint8_t bytes[COREFILE_ROOM];
	size_t len;
	size_t nph;
	size_t notes; /* where they begin */
};

static inline void corefile_put(struct corefile *c, const void *data,
				size_t len)
{
	if (len > COREFILE_ROOM - c->len)
		abort();
	if (len)
		memcpy(c->bytes + c->len, data, len);
	c->len += len;
}

static inline void corefile_align(struct corefile *c, size_t to)
{
	static const uint8_t zeros[COREFILE_PAGE];

	corefile_put(c, zeros, (to - c->len % to) % to);
}

static inline void corefile_note(struct corefile *c, uint32_t type,
				 const void *desc, size_t len)
{
	Elf64_Nhdr n = { 5, (Elf64_Word)len, type };

	corefile_put(c, &n, sizeof(n));
	corefile_put(c, "CORE\0\0\0", 8);
	corefile_put(c, desc, len);
	corefile_align(c, 4);
}

static inline Elf64_Phdr *corefile_phdr(struct corefile *c)
{
	Elf64_Phdr *v = (Elf64_Phdr *)(void *)(c->bytes + sizeof(Elf64_Ehdr));

	if (c->nph == COREFILE_PHDRS)
		abort();
	return &v[c->nph++];
}

static inline void corefile_thread(struct corefile *c, pid_t tid, int signo,
				   uint64_t pc, uint64_t sp)
{
	struct elf_prstatus st = { .pr_pid = tid, .pr_cursig = (short)signo };
	struct user_regs_struct regs = { .rip = pc,
					 .rsp = sp,
					 .orig_rax = -1UL };

	memcpy(&st.pr_reg, &regs, sizeof(regs));
	corefile_note(c, NT_PRSTATUS, &st, sizeof(st));
}

static const uint64_t corefile_auxv[] = {
	AT_PHDR,   COREFILE_EXE + 64,	   AT_RANDOM, COREFILE_STACK + 0xe00,
	AT_EXECFN, COREFILE_STACK + 0xf11, AT_NULL,   0,
};

/* As the kernel puts them onto the stack: number of arguments, pointers, the
 * auxiliary vector, texts. */
static inline void corefile_arguments(uint8_t page[COREFILE_PAGE])
{
	static const char texts[] = "python3\0x.py\0A=b\0/bin/no";
	uint64_t words[] = { 2, COREFILE_STACK + 0xf00, COREFILE_STACK + 0xf08,
			     0, COREFILE_STACK + 0xf0d, 0 };

	memcpy(page + 0xc00, words, sizeof(words));
	memcpy(page + 0xc00 + sizeof(words), corefile_auxv,
	       sizeof(corefile_auxv));
	memcpy(page + 0xf00, texts, sizeof(texts));
}

static inline void corefile_notes(struct corefile *c)
{
	struct elf_prpsinfo ps = { .pr_pid = COREFILE_PID, .pr_uid = 1000 };
	uint64_t files[] = { 1, COREFILE_PAGE, COREFILE_EXE,
			     COREFILE_EXE + COREFILE_PAGE, 0 };
	char note[sizeof(files) + 16] = { 0 };
	struct {
		int signo, err, code, pad;
		uint64_t address;
		uint8_t rest[104];
	} info = { .signo = 11, .code = 1, .address = 0x1230 };
	Elf64_Phdr *ph = corefile_phdr(c);

	memcpy(ps.pr_fname, "python3", 7);
	memcpy(ps.pr_psargs, "python3 x.py ", 13);
	memcpy(note, files, sizeof(files));
	memcpy(note + sizeof(files), "/bin/no", 8);
	c->notes = c->len;
	corefile_thread(c, COREFILE_PID + 1, 11,
			COREFILE_EXE + COREFILE_CODE + 8, COREFILE_SP);
	corefile_note(c, NT_PRPSINFO, &ps, sizeof(ps));
	corefile_note(c, 0x53494749, &info, sizeof(info)); /* NT_SIGINFO */
	corefile_note(c, NT_AUXV, corefile_auxv, sizeof(corefile_auxv));
	corefile_note(c, 0x46494c45, note, sizeof(files) + 8); /* NT_FILE */
	corefile_thread(c, COREFILE_PID, 0, COREFILE_EXE + COREFILE_CODE + 16,
			COREFILE_SP + 0x100);
	*ph = (Elf64_Phdr) {
		.p_type = PT_NOTE,
		.p_offset = c->notes,
		.p_filesz = c->len - c->notes,
		.p_align = 4,
	};
}

/* filesz bytes of data, which may be less than there were. */
static inline void corefile_load(struct corefile *c, uint64_t addr,
				 uint64_t memsz, uint32_t flags,
				 const void *data, size_t filesz)
{
	Elf64_Phdr *ph = corefile_phdr(c);

	corefile_align(c, COREFILE_PAGE);
	*ph = (Elf64_Phdr) {
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = c->len,
		.p_vaddr = addr,
		.p_memsz = memsz,
		.p_filesz = filesz,
		.p_align = COREFILE_PAGE,
	};
	corefile_put(c, data, filesz);
}

/* One page: headers, .eh_frame_hdr with one entry, .eh_frame, code. Each
 * function has its return address on top of its stack. */
static inline void corefile_exe(uint8_t page[COREFILE_PAGE])
{
	static const uint8_t cie[] = { 0x14, 0,	   0,	0, 0,	 0,    0,  0,
				       1,    'z',  'R', 0, 1,	 0x78, 16, 1,
				       0x1b, 0x0c, 7,	8, 0x90, 1,    0,  0 };
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_phoff = 64,
		.e_ehsize = 64,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr ph[2] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = COREFILE_EXE,
		  .p_filesz = COREFILE_PAGE,
		  .p_memsz = COREFILE_PAGE },
		{ .p_type = PT_GNU_EH_FRAME,
		  .p_flags = PF_R,
		  .p_offset = 0x100,
		  .p_vaddr = COREFILE_EXE + 0x100,
		  .p_filesz = 20,
		  .p_memsz = 20 },
	};
	int32_t fde[6] = { 0x10, 0x1c, COREFILE_CODE - 0x140,
			   COREFILE_CODE_LEN };
	int32_t hdr[5] = { 0x3b031b01, 0x20 - 4 + 0x100 - 0x104 + 4, 1,
			   COREFILE_CODE - 0x100, 0x138 - 0x100 };

	memset(page, 0, COREFILE_PAGE);
	memcpy(page, &eh, sizeof(eh));
	memcpy(page + 64, ph, sizeof(ph));
	memcpy(page + 0x100, hdr, sizeof(hdr));
	memcpy(page + 0x120, cie, sizeof(cie));
	memcpy(page + 0x138, fde, sizeof(fde));
	for (size_t i = 0; i < COREFILE_CODE_LEN; i++)
		page[COREFILE_CODE + i] = 0x90; /* nop */
}

static inline void corefile_make(struct corefile *c)
{
	uint8_t page[COREFILE_PAGE];
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
	};

	memset(c, 0, sizeof(*c));
	c->len = sizeof(eh) + COREFILE_PHDRS * sizeof(Elf64_Phdr);
	corefile_notes(c);
	corefile_exe(page);
	corefile_load(c, COREFILE_EXE, COREFILE_PAGE, PF_R | PF_X, page,
		      sizeof(page));
	corefile_load(c, COREFILE_GAP, COREFILE_PAGE, PF_R | PF_W, NULL, 0);
	memset(page, 0, sizeof(page));
	for (size_t i = 0; i < 3; i++) {
		uint64_t back = COREFILE_EXE + COREFILE_CODE + 0x20 + 0x10 * i;

		memcpy(page + 0x800 + 8 * i, &back, sizeof(back));
	}
	corefile_arguments(page);
	corefile_load(c, COREFILE_STACK, COREFILE_PAGE, PF_R | PF_W, page,
		      sizeof(page));
	eh.e_phnum = (Elf64_Half)c->nph;
	memcpy(c->bytes, &eh, sizeof(eh));
}

/* A file in memory with these bytes; its path goes to buf. */
static inline int corefile_fd(const void *data, size_t len, char *buf,
			      size_t cap)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(buf, cap, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
