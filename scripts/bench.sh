#!/bin/sh
# Micro-benchmarks of all packages, then the measures of docs/benchmarks.md on a private Hadoop (scripts/measure).
# BENCH_MICRO=0 leaves the micro-benchmarks out; BENCH_N is how often each measure is made (15), BENCH_ONLY names some of them.
set -eu
if [ "${BENCH_MICRO:-1}" != 0 ]; then
	go test -run '^$' -bench . -benchmem ./... | grep -v 'no test files'
fi
go build -o build/measure ./scripts/measure
# shellcheck disable=SC2086 # several names
exec build/measure -n "${BENCH_N:-15}" ${BENCH_ONLY:-}
