#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Real programs that share nothing with the outside are never taken for leaking,
# whatever they are just doing; see programs.sh.
export CHECKS=${CHECKS:-5} REPEAT=${REPEAT:-0}
PROGRAMS=${PROGRAMS:-python bash gcc threads32} exec "$(dirname "$0")/programs.sh"
