#!/bin/sh
# The measures of docs/benchmarks.md (scripts/measure): the engine's, on a standalone cluster, in three rounds; then those on a private
# Hadoop and the micro-benchmarks of all packages. BENCH_ONLY names some of the measures ("engine", "keyed-window", "nexmark", "session run"); then
# there are no micro-benchmarks, nor with BENCH_MICRO=0. BENCH_ROUNDS and BENCH_N say how often each is measured (3 on the engine, 15 on Hadoop). OLD is a
# commit, or a file of saved figures, that the engine is compared with instead.
set -eu
mkdir -p build
go build -o build/measure ./scripts/measure
if [ -n "${OLD:-}" ]; then
	# shellcheck disable=SC2086 # several names
	exec build/measure -rounds "${BENCH_ROUNDS:-3}" -old "$OLD" ${BENCH_ONLY:-engine}
fi
# shellcheck disable=SC2086 # several names
build/measure -rounds "${BENCH_ROUNDS:-3}" -n "${BENCH_N:-15}" ${BENCH_ONLY:-}
if [ -z "${BENCH_ONLY:-}" ] && [ "${BENCH_MICRO:-1}" != 0 ]; then
	go test -run '^$' -bench . -benchmem ./... | grep -v 'no test files'
fi
