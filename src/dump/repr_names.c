// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "dump/repr_state.h"

/* "module\0qualname\0" of a type's value. */
static bool type_names(const struct pyd_dump_object *o, const char **module,
		       size_t *module_len, const char **name, size_t *name_len)
{
	const char *s = (const char *)o->value;
	const char *nul = o->value_len ? memchr(s, 0, o->value_len) : NULL;
	const char *nul2;

	if (o->kind != PYD_KIND_type || !nul)
		return false;
	*module = s;
	*module_len = (size_t)(nul - s);
	*name = nul + 1;
	nul2 = memchr(*name, 0, o->value_len - *module_len - 1);
	if (!nul2)
		return false;
	*name_len = (size_t)(nul2 - *name);
	return true;
}

/* Of the qualified name of a type; with the module unless it is builtins. */
void pyd_repr_put_type(struct pyd_repr_state *r, pyd_addr type,
		       bool with_module)
{
	struct pyd_dump_object o;
	const char *module, *name;
	size_t module_len, name_len;
	enum pyd_code code = pyd_dump_object_get(r->d, type, &o, NULL);

	if (code) {
		pyd_text_printf(r->out, "type@0x%llx",
				(unsigned long long)type);
		return;
	}
	if (!type_names(&o, &module, &module_len, &name, &name_len)) {
		pyd_text_printf(r->out, "type@0x%llx",
				(unsigned long long)type);
	} else {
		if (with_module && module_len &&
		    !(module_len == 8 && !memcmp(module, "builtins", 8))) {
			pyd_text_escaped(r->out, module, module_len, 0, 200);
			pyd_repr_put(r, ".");
		}
		pyd_text_escaped(r->out, name, name_len, 0, 200);
	}
	pyd_dump_object_release(r->d, &o);
}

/* Whether the type is the builtin one of that name. */
bool pyd_repr_is_builtin(struct pyd_repr_state *r, pyd_addr type,
			 const char *builtin)
{
	struct pyd_dump_object o;
	const char *module, *name;
	size_t module_len, name_len;
	bool ret;

	if (pyd_dump_object_get(r->d, type, &o, NULL))
		return true; /* not known otherwise */
	ret = type_names(&o, &module, &module_len, &name, &name_len) &&
	      module_len == 8 && !memcmp(module, "builtins", 8) &&
	      name_len == strlen(builtin) && !memcmp(name, builtin, name_len);
	pyd_dump_object_release(r->d, &o);
	return ret;
}

/* The text of a str object, without quotes; false when it is none. */
bool pyd_repr_put_name(struct pyd_repr_state *r, uint64_t ref)
{
	struct pyd_dump_object o;
	bool ok;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return false;
	ok = o.kind == PYD_KIND_str;
	if (ok)
		pyd_text_escaped(r->out, (const char *)o.value, o.value_len, 0,
				 200);
	pyd_dump_object_release(r->d, &o);
	return ok;
}

void pyd_repr_put_value_name(struct pyd_repr_state *r,
			     const struct pyd_dump_object *o)
{
	if (o->value_len)
		pyd_text_escaped(r->out, (const char *)o->value, o->value_len,
				 0, 200);
	else
		pyd_repr_put(r, "?");
}

void pyd_repr_put_at(struct pyd_repr_state *r, const struct pyd_dump_object *o)
{
	pyd_text_printf(r->out, " at 0x%llx>", (unsigned long long)o->addr);
}
