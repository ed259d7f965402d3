#!/bin/sh
# Starts a session on YARN, or attaches to one: weft yarn-session under the name that users of Flink know. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" yarn-session "$@"
