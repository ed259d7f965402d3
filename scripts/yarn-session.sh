#!/bin/sh
# Starts a session on YARN, or attaches to one: weft yarn-session under the name that users of Flink know. Try --help.
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
exec "$(dirname "$self")/weft" yarn-session "$@"
