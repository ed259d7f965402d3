#!/bin/sh
# Says what to use in the place of Flink's script of this name. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" script zookeeper "$@"
