#!/bin/sh
# Starts or ends TaskManagers of a standalone cluster on this machine. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" script taskmanager "$@"
