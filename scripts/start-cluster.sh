#!/bin/sh
# Starts a standalone cluster: the hosts of conf/masters and conf/workers. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" script start-cluster "$@"
