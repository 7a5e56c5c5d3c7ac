#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""sandbox.py COMMAND...: runs it behind two seccomp filters, as sandboxes do.

The first kills programs of other architectures, the second lets calls fail that
a program in a sandbox has no business with.
"""
import ctypes
import errno
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7fff0000
AUDIT_ARCH_X86_64 = 0xc000003e
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NR, ARCH = 0, 4  # offsets in struct seccomp_data

DENIED = {
    "ptrace": 101, "mount": 165, "umount2": 166, "swapon": 167, "reboot": 169,
    "init_module": 175, "add_key": 248, "request_key": 249, "keyctl": 250,
    "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323,
}


def other_architectures():
    return [(LOAD, 0, 0, ARCH),
            (JUMP_IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64),
            (RETURN, 0, 0, KILL_PROCESS),
            (RETURN, 0, 0, ALLOW)]


def denied_calls():
    program = [(LOAD, 0, 0, NR)]
    for index, number in enumerate(DENIED.values()):
        program.append((JUMP_IF_EQUAL, len(DENIED) - index, 0, number))
    return program + [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO | errno.EPERM)]


def install(libc, program):
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    install(libc, other_architectures())
    install(libc, denied_calls())
    os.execvp(sys.argv[1], sys.argv[1:])


main()
