// SPDX-License-Identifier: Apache-2.0
#include "native/regs.h"

#include <string.h>

#if defined(__x86_64__)

const unw_regnum_t pyd_unw_saved[] = {
	UNW_X86_64_RBX, UNW_X86_64_RBP, UNW_X86_64_R12,
	UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15,
};
const size_t pyd_unw_nsaved = sizeof(pyd_unw_saved) / sizeof(pyd_unw_saved[0]);
const unw_regnum_t pyd_unw_fp = UNW_X86_64_RBP;
const bool pyd_unw_call_pushes = true;

void pyd_unw_regs_get(const struct pyd_regs *regs, unw_word_t ret[PYD_UNW_REGS])
{
	const struct user_regs_struct *u = &regs->user;

	memset(ret, 0, PYD_UNW_REGS * sizeof(*ret));
	ret[UNW_X86_64_RAX] = u->rax;
	ret[UNW_X86_64_RDX] = u->rdx;
	ret[UNW_X86_64_RCX] = u->rcx;
	ret[UNW_X86_64_RBX] = u->rbx;
	ret[UNW_X86_64_RSI] = u->rsi;
	ret[UNW_X86_64_RDI] = u->rdi;
	ret[UNW_X86_64_RBP] = u->rbp;
	ret[UNW_X86_64_RSP] = u->rsp;
	ret[UNW_X86_64_R8] = u->r8;
	ret[UNW_X86_64_R9] = u->r9;
	ret[UNW_X86_64_R10] = u->r10;
	ret[UNW_X86_64_R11] = u->r11;
	ret[UNW_X86_64_R12] = u->r12;
	ret[UNW_X86_64_R13] = u->r13;
	ret[UNW_X86_64_R14] = u->r14;
	ret[UNW_X86_64_R15] = u->r15;
	ret[UNW_X86_64_RIP] = u->rip;
}

/* Length of "call r/m64" with this opcode 0xff and what follows. */
static size_t indirect_len(const uint8_t *p, size_t n)
{
	unsigned int mod, rm;
	size_t len = 2;

	if (n < 2 || p[0] != 0xff || (p[1] >> 3 & 7) != 2)
		return 0;
	mod = p[1] >> 6;
	rm = p[1] & 7;
	if (mod == 3)
		return len;
	if (rm == 4) { /* SIB */
		if (n < 3)
			return 0;
		len++;
		if (!mod && (p[2] & 7) == 5)
			len += 4;
	} else if (!mod && rm == 5) {
		len += 4; /* relative to the program counter */
	}
	return len + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

bool pyd_unw_is_call(const uint8_t *bytes, size_t n)
{
	if (n >= 5 && bytes[n - 5] == 0xe8)
		return true;
	for (size_t k = 2; k <= n; k++)
		if (indirect_len(bytes + n - k, k) == k)
			return true;
	return false;
}

/* The position in pyd_unw_saved; pyd_unw_nsaved: of none. */
static size_t saved_position(unsigned int reg)
{
	static const unw_regnum_t by_number[16] = {
		UNW_X86_64_RAX, UNW_X86_64_RCX, UNW_X86_64_RDX, UNW_X86_64_RBX,
		UNW_X86_64_RSP, UNW_X86_64_RBP, UNW_X86_64_RSI, UNW_X86_64_RDI,
		UNW_X86_64_R8,	UNW_X86_64_R9,	UNW_X86_64_R10, UNW_X86_64_R11,
		UNW_X86_64_R12, UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15,
	};
	size_t i = 0;

	while (i < pyd_unw_nsaved && pyd_unw_saved[i] != by_number[reg])
		i++;
	return i;
}

bool pyd_unw_is_end(const uint8_t *bytes, size_t n, struct pyd_unw_end *ret)
{
	struct pyd_unw_end end = { 0 };
	size_t at = 0;

	memset(end.saved, 0xff, sizeof(end.saved));
	while (at < n) {
		const uint8_t *b = bytes + at;
		size_t left = n - at;
		unsigned int rex = b[0] == 0x41;
		uint32_t wide;

		if (b[0] == 0xc3 ||
		    (left >= 2 && b[0] == 0xf3 && b[1] == 0xc3)) {
			*ret = end;
			return true;
		}
		if (left >= 4 && b[0] == 0x48 && b[1] == 0x83 && b[2] == 0xc4 &&
		    b[3] < 0x80) {
			end.back += b[3]; /* add $x, %rsp */
			at += 4;
		} else if (left >= 7 && b[0] == 0x48 && b[1] == 0x81 &&
			   b[2] == 0xc4) {
			memcpy(&wide, b + 3, sizeof(wide));
			if (wide > 1 << 20)
				return false;
			end.back += wide;
			at += 7;
		} else if (left > rex && (b[rex] & 0xf8) == 0x58 &&
			   (rex || b[0] != 0x5c)) { /* pop, not of rsp */
			size_t i = saved_position((b[rex] & 7) + 8 * rex);

			if (i < pyd_unw_nsaved)
				end.saved[i] = end.back;
			end.back += 8;
			at += 1 + rex;
		} else {
			return false;
		}
	}
	return false;
}

bool pyd_unw_is_sigreturn(const uint8_t *bytes)
{
	/* mov $15, %rax; syscall */
	static const uint8_t insns[PYD_UNW_RETURN_LEN] = {
		0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05,
	};

	return !memcmp(bytes, insns, sizeof(insns));
}

#elif defined(__aarch64__)

const unw_regnum_t pyd_unw_saved[] = {
	UNW_AARCH64_X19, UNW_AARCH64_X20, UNW_AARCH64_X21, UNW_AARCH64_X22,
	UNW_AARCH64_X23, UNW_AARCH64_X24, UNW_AARCH64_X25, UNW_AARCH64_X26,
	UNW_AARCH64_X27, UNW_AARCH64_X28, UNW_AARCH64_X29, UNW_AARCH64_X30,
};
const size_t pyd_unw_nsaved = sizeof(pyd_unw_saved) / sizeof(pyd_unw_saved[0]);
const unw_regnum_t pyd_unw_fp = UNW_AARCH64_X29;
const bool pyd_unw_call_pushes = false;

void pyd_unw_regs_get(const struct pyd_regs *regs, unw_word_t ret[PYD_UNW_REGS])
{
	memset(ret, 0, PYD_UNW_REGS * sizeof(*ret));
	for (int i = 0; i <= 30; i++)
		ret[UNW_AARCH64_X0 + i] = regs->user.regs[i];
	ret[UNW_AARCH64_SP] = regs->user.sp;
	ret[UNW_AARCH64_PC] = regs->user.pc;
}

bool pyd_unw_is_call(const uint8_t *bytes, size_t n)
{
	uint32_t insn;

	if (n < sizeof(insn))
		return false;
	memcpy(&insn, bytes + n - sizeof(insn), sizeof(insn));
	/* bl; blr and its forms that authenticate the pointer */
	return (insn & 0xfc000000U) == 0x94000000U ||
	       (insn & 0xfefff000U) == 0xd63f0000U;
}

bool pyd_unw_is_end(const uint8_t *bytes, size_t n, struct pyd_unw_end *ret)
{
	(void)bytes;
	(void)n;
	(void)ret;
	return false;
}

bool pyd_unw_is_sigreturn(const uint8_t *bytes)
{
	/* mov x8, #139; svc #0 */
	static const uint32_t insns[2] = { 0xd2801168U, 0xd4000001U };

	return !memcmp(bytes, insns, sizeof(insns));
}

#else
#error "pydumpd knows x86-64 and aarch64; add the processor here"
#endif
