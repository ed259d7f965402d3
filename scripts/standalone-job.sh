#!/bin/sh
# Starts or ends a JobManager for one job's main on this machine. Try --help.
set -eu
self=$0
# The directory of this script with symbolic links resolved.
while [ -h "$self" ]; do
	link=$(readlink "$self")
	case $link in
	/*) self=$link ;;
	*) self=$(dirname "$self")/$link ;;
	esac
done
exec "$(dirname "$self")/weft" script standalone-job "$@"
