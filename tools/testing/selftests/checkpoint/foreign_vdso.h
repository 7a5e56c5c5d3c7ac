/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images of a kernel that has another vdso. There is none at hand: the image is
 * told that it has, so that the code which stays where it was is our own.
 */
#ifndef _FOREIGN_VDSO_H
#define _FOREIGN_VDSO_H

#include <link.h>
#include <sys/auxv.h>

#include "codec.h"

static struct image image;

/* A function of the vdso that the process began with */
static inline void *vdso_function(const char *name)
{
	const ElfW(Ehdr) *ehdr = (void *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Phdr) *phdr = (void *)ehdr + ehdr->e_phoff;
	const ElfW(Word) *hash = NULL;
	const ElfW(Sym) *sym = NULL;
	const ElfW(Dyn) *dyn;
	char *base = (char *)ehdr, *names = NULL;
	unsigned int i;

	while (phdr->p_type != PT_DYNAMIC)
		phdr++;
	for (dyn = (void *)(base + phdr->p_offset); dyn->d_tag; dyn++) {
		if (dyn->d_tag == DT_HASH)
			hash = (void *)(base + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_SYMTAB)
			sym = (void *)(base + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_STRTAB)
			names = base + dyn->d_un.d_ptr;
	}
	CHECK(hash && sym && names);
	for (i = 0; i < hash[1]; i++)
		if (!strcmp(names + sym[i].st_name, name))
			return base + sym[i].st_value;
	CHECK(!"in the vdso");
	return NULL;
}

#define OTHER_64	1
#define OTHER_32	2
#define OTHER_OWN	(sizeof(long) == 8 ? OTHER_64 : OTHER_32)

/* Who enters the code that stays there, and is not led away, traps. */
static inline void set_traps(struct item *item)
{
	struct ckpt_rec_vdso *rec = (void *)item->payload;
	unsigned char *text = (void *)(rec + 1);
	int i;

	for (i = 0; i < CKPT_VDSO_MAX; i++)
		if (rec->entry[i])
			text[rec->entry[i]] = 0xcc;
}

/* The 32-bit one comes second. */
static inline bool is_other(struct subject *s, int vdsos)
{
	struct ckpt_rec_arch *arch;
	struct item *item;

	if (!image_load(s, &image))
		return false;
	arch = (void *)image_first(&image, CKPT_REC_ARCH)->payload;
	item = image_first(&image, CKPT_REC_VDSO);
	if (vdsos & OTHER_64) {
		arch->vdso_build_id[0] ^= 0xff;
		set_traps(item);
	}
	if (vdsos & OTHER_32 && arch->flags & CKPT_ARCHF_IA32) {
		arch->vdso32_build_id[0] ^= 0xff;
		set_traps(item + 1);
	}
	return image_store(s, &image);
}

static inline bool of_another_kernel(struct subject *s)
{
	return is_other(s, OTHER_OWN);
}

#endif
