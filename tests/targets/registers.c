// SPDX-License-Identifier: Apache-2.0
/*
 * Keeps known values in registers for a while and looks whether they are still
 * there. Loaded by selfcheck.py.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifndef __x86_64__
#error "x86-64 only"
#endif

/* How many registers were changed by somebody else. */
int registers_changed(uint64_t spins)
{
	uint64_t before[6] = { 0x1111111111111111, 0x2222222222222222,
			       0x3333333333333333, 0x4444444444444444,
			       0x5555555555555555, 0x6666666666666666 };
	uint64_t after[6] = { 0 };
	uint8_t xmm_before[16][16], xmm_after[16][16];
	uint32_t mxcsr = 0x7f80, mxcsr_old, mxcsr_after; /* rounds to zero */
	uint64_t x87 = 0;
	int changed = 0;

	for (int i = 0; i < 16; i++)
		memset(xmm_before[i], i + 1, 16);
	errno = 42;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr_old));
	__asm__ volatile(
		"ldmxcsr %[mxcsr]\n\t"
		"fldpi\n\t"
		"movdqu 0x00(%[xb]), %%xmm0\n\tmovdqu 0x10(%[xb]), %%xmm1\n\t"
		"movdqu 0x20(%[xb]), %%xmm2\n\tmovdqu 0x30(%[xb]), %%xmm3\n\t"
		"movdqu 0x40(%[xb]), %%xmm4\n\tmovdqu 0x50(%[xb]), %%xmm5\n\t"
		"movdqu 0x60(%[xb]), %%xmm6\n\tmovdqu 0x70(%[xb]), %%xmm7\n\t"
		"movdqu 0x80(%[xb]), %%xmm8\n\tmovdqu 0x90(%[xb]), %%xmm9\n\t"
		"movdqu 0xa0(%[xb]), %%xmm10\n\tmovdqu 0xb0(%[xb]), %%xmm11\n\t"
		"movdqu 0xc0(%[xb]), %%xmm12\n\tmovdqu 0xd0(%[xb]), %%xmm13\n\t"
		"movdqu 0xe0(%[xb]), %%xmm14\n\tmovdqu 0xf0(%[xb]), %%xmm15\n\t"
		"mov 0x00(%[b]), %%r10\n\tmov 0x08(%[b]), %%r11\n\t"
		"mov 0x10(%[b]), %%r12\n\tmov 0x18(%[b]), %%r13\n\t"
		"mov 0x20(%[b]), %%r14\n\tmov 0x28(%[b]), %%r15\n\t"
		"1: dec %[n]\n\tjnz 1b\n\t"
		"mov %%r10, 0x00(%[a])\n\tmov %%r11, 0x08(%[a])\n\t"
		"mov %%r12, 0x10(%[a])\n\tmov %%r13, 0x18(%[a])\n\t"
		"mov %%r14, 0x20(%[a])\n\tmov %%r15, 0x28(%[a])\n\t"
		"movdqu %%xmm0, 0x00(%[xa])\n\tmovdqu %%xmm1, 0x10(%[xa])\n\t"
		"movdqu %%xmm2, 0x20(%[xa])\n\tmovdqu %%xmm3, 0x30(%[xa])\n\t"
		"movdqu %%xmm4, 0x40(%[xa])\n\tmovdqu %%xmm5, 0x50(%[xa])\n\t"
		"movdqu %%xmm6, 0x60(%[xa])\n\tmovdqu %%xmm7, 0x70(%[xa])\n\t"
		"movdqu %%xmm8, 0x80(%[xa])\n\tmovdqu %%xmm9, 0x90(%[xa])\n\t"
		"movdqu %%xmm10, 0xa0(%[xa])\n\tmovdqu %%xmm11, 0xb0(%[xa])\n\t"
		"movdqu %%xmm12, 0xc0(%[xa])\n\tmovdqu %%xmm13, 0xd0(%[xa])\n\t"
		"movdqu %%xmm14, 0xe0(%[xa])\n\tmovdqu %%xmm15, 0xf0(%[xa])\n\t"
		"fstpl %[x87]\n\t"
		"stmxcsr %[mxcsr_after]\n\t"
		"ldmxcsr %[mxcsr_old]\n\t"
		: [n] "+r"(spins), [x87] "=m"(x87),
		  [mxcsr_after] "=m"(mxcsr_after)
		: [b] "r"(before), [a] "r"(after), [xb] "r"(xmm_before),
		  [xa] "r"(xmm_after), [mxcsr] "m"(mxcsr),
		  [mxcsr_old] "m"(mxcsr_old)
		: "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
		  "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		  "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
		  "st", "memory", "cc");
	for (int i = 0; i < 6; i++)
		changed += before[i] != after[i];
	for (int i = 0; i < 16; i++)
		changed += memcmp(xmm_before[i], xmm_after[i], 16) != 0;
	changed += x87 != 0x400921fb54442d18; /* pi */
	/* The flags of exceptions may be set by the comparison of nothing. */
	changed += (mxcsr_after & 0xffc0) != mxcsr;
	changed += errno != 42;
	return changed;
}
