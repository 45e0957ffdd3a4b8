/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An extension module with a type whose state only C sees, for test_types.py:
 * a value of each kind that a description can name.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

struct tail {
	long pad;
	const char *unit;
	PyObject *owner;
};

struct point {
	PyObject_HEAD double x;
	float y;
	short small;
	unsigned char flags; /* bit 2 is asked for */
	char letter;
	PyObject *label;
	long count;
	long long *numbers; /* count of them */
	PyObject **others;  /* count of them */
	char *text;	    /* two bytes a count */
	struct tail *tail;
	unsigned char
		packed[5]; /* most significant byte first, from the second */
	int has_owner;
};

static PyObject *point_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static const char text[] = "\xc3\xa4\xc3\xb6\xc3\xbc";
	struct point *p = (struct point *)type->tp_alloc(type, 0);

	(void)kwargs;
	if (!p)
		return NULL;
	if (!PyArg_ParseTuple(args, "O", &p->label)) {
		p->label = NULL;
		Py_DECREF(p);
		return NULL;
	}
	Py_INCREF(p->label);
	p->x = -1.5;
	p->y = 0.25F;
	p->small = -7;
	p->flags = 4;
	p->letter = '\xe9';
	p->count = 3;
	/* Never given back: the program is to be looked at, not to run long. */
	p->numbers = malloc(3 * sizeof(*p->numbers));
	p->others = malloc(3 * sizeof(*p->others));
	p->tail = malloc(sizeof(*p->tail));
	if (!p->numbers || !p->others || !p->tail)
		return PyErr_NoMemory();
	for (int i = 0; i < 3; i++) {
		p->numbers[i] = (1LL << 40) * (i - 1);
		p->others[i] = p->label;
		Py_INCREF(p->label);
	}
	p->text = (char *)text;
	p->tail->unit = "m/s";
	p->tail->owner = p->label;
	memcpy(p->packed, "\xff\x01\x02\x03\x04", 5);
	return (PyObject *)p;
}

static PyType_Slot point_slots[] = {
	{ Py_tp_new, point_new },
	{ 0, NULL },
};

static PyType_Spec point_spec = {
	.name = "described.Point",
	.basicsize = sizeof(struct point),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = point_slots,
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT,
	.m_name = "described",
	.m_size = -1,
};

PyMODINIT_FUNC PyInit_described(void)
{
	PyObject *m = PyModule_Create(&module);
	PyObject *type = PyType_FromSpec(&point_spec);

	if (!m || !type || PyModule_AddObject(m, "Point", type))
		return NULL;
	return m;
}
