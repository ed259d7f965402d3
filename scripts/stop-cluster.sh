#!/bin/sh
# Ends a standalone cluster. Try --help.
set -eu
exec "$(dirname "$(readlink -f "$0")")/weft" script stop-cluster "$@"
