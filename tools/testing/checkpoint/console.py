# SPDX-License-Identifier: GPL-2.0
"""Shared by vm and check: what the kernel says on its console and what of it is
a failure; children that end with their parent."""

import ctypes
import re
import signal

# What no kernel should ever say. Not in here: messages about programs that
# crash, the traces which fault injection prints for each failure it makes, and
# what the kernel thinks of idle=poll, which the bench asks for.
SPLATS = re.compile(
    r"WARNING: (?!polling idle)|BUG: |BUG [\w-]+ \(|\bOops\b|KASAN: |UBSAN: |Kernel panic|"
    r"INFO: task .* blocked for more than|rcu.*detected (?:expedited )?stall|"
    r"possible (?:circular|recursive|irq lock inversion)|inconsistent lock state|"
    r"suspicious RCU|INFO: trying to register non-static key|refcount_t: |"
    r"list_(?:add|del) corruption|new suspected memory leaks|"
    r"memory leak detector disabled|"
    r"held lock freed|bad unlock balance|soft lockup|hard LOCKUP|"
    r"Voluntary context switch within RCU|scheduling while atomic")
SPLAT_LINES = 60

KUNIT_CASE = re.compile(r"^(?:    )?(ok|not ok) \d+ (\S+)(?: # (SKIP.*))?")
STAMP = re.compile(r"^\[ *\d+\.\d+\] ?")


def die_with_parent(number=signal.SIGKILL):
    """For a child process, before exec: not to outlive its parent."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)


def first_splat(lines):
    """The first complaint of the kernel with what follows it, or None."""
    for i, line in enumerate(lines):
        if SPLATS.search(line):
            return "\n".join(lines[i:i + SPLAT_LINES])
    return None


def kunit_results(lines):
    """[(suite.case, ok, skip reason, diagnostics)] from the KTAP in the log.

    KUnit indents by four: "    ok 1 case" inside "ok 1 suite". A suite line
    without cases inside (a suite which failed to start) counts itself.
    """
    results, pending, notes = [], [], []
    inside = False
    for line in lines:
        text = STAMP.sub("", line)
        if re.match(r"^(KTAP version|TAP version)", text):
            inside = True
            continue
        if not inside:
            continue
        case = KUNIT_CASE.match(text)
        if not case:
            if text.startswith("    ") and not re.match(r"^ +(KTAP|# Subtest|1\.\.)", text):
                notes.append(text.strip())
            continue
        ok, name, skip = case.group(1) == "ok", case.group(2), case.group(3)
        if text.startswith("    "):
            pending.append((name, ok, skip, notes))
        else:
            results += [(f"{name}.{n}", *rest) for n, *rest in pending] or \
                [(name, ok, skip, notes)]
            pending = []
        notes = []
    return results
