#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runtimes that do much on their own: timers, threads, compiled code; see
# programs.sh.
PROGRAMS='java perl' exec "$(dirname "$0")/programs.sh"
