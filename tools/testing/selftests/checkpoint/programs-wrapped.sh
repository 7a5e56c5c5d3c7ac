#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A program with much set for it from outside: limits, priorities, filters; see
# programs.sh.
PROGRAMS='wrapped sandbox' exec "$(dirname "$0")/programs.sh"
