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

bool pyd_unw_is_sigreturn(const uint8_t *bytes)
{
	/* mov x8, #139; svc #0 */
	static const uint32_t insns[2] = { 0xd2801168U, 0xd4000001U };

	return !memcmp(bytes, insns, sizeof(insns));
}

#else
#error "pydumpd knows x86-64 and aarch64; add the processor here"
#endif
