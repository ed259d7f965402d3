#!/bin/sh
# Says what to use in the place of Flink's script of this name. Try --help.
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
