# SPDX-License-Identifier: Apache-2.0
"""Runs a program to which the kernel refuses things: deny.py WHAT,... COMMAND...

perf: that system call. registers: setting debug registers. As EPERM, for
the program and all that it starts (seccomp(2)); x86-64.
"""

import ctypes
import os
import struct
import sys

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ERRNO_EPERM, ALLOW = 0x00050001, 0x7FFF0000
PTRACE, POKEUSER = 101, 6
CALLS = {"perf": 298}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2


def program(names):
    """Instructions: code, true, false, operand."""
    made = [(LOAD, 0, 0, 0)]
    for name in names:
        if name == "registers":
            # The call is loaded; its first argument is looked at, and put back.
            made += [(EQUAL, 0, 4, PTRACE), (LOAD, 0, 0, 16), (EQUAL, 0, 1, POKEUSER)]
            made += [(RETURN, 0, 0, ERRNO_EPERM), (LOAD, 0, 0, 0)]
        else:
            made += [(EQUAL, 0, 1, CALLS[name]), (RETURN, 0, 0, ERRNO_EPERM)]
    return made + [(RETURN, 0, 0, ALLOW)]


def deny(names):
    made = program(names)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in made))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(made), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for args in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, FILTER, ctypes.c_void_p(ctypes.addressof(head)), 0, 0),
    ):
        if libc.prctl(*args):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    deny(sys.argv[1].split(","))
    os.execvp(sys.argv[2], sys.argv[2:])
