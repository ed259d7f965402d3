#!/bin/sh
# Starts or ends a JobManager for one job's main on this machine. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" script standalone-job "$@"
