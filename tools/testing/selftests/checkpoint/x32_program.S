/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An x32 program without a library: creates the file "ready", waits for the file
 * "go", ends.
 */
#define X32_access	0x40000015
#define X32_nanosleep	0x40000023
#define X32_exit	0x4000003c
#define X32_creat	0x40000055

	.text
	.globl	_start
_start:
	mov	$ready, %edi
	mov	$0644, %esi
	mov	$X32_creat, %eax
	syscall
again:
	mov	$time, %edi
	xor	%esi, %esi
	mov	$X32_nanosleep, %eax
	syscall
	mov	$go, %edi
	xor	%esi, %esi
	mov	$X32_access, %eax
	syscall
	test	%eax, %eax
	jnz	again
	xor	%edi, %edi
	mov	$X32_exit, %eax
	syscall

	.data
ready:	.asciz	"ready"
go:	.asciz	"go"
	.align	8
time:	.quad	0, 5000000
	.section .note.GNU-stack, "", @progbits
