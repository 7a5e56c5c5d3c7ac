#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A real program that is checkpointed, killed and restarted ten times in its
# life; see programs.sh.
PROGRAMS=generations exec "$(dirname "$0")/programs.sh"
