#!/bin/sh
# Micro-benchmarks of all packages, then wordcount-batch over 256 MiB from HDFS to HDFS in a session with two TaskManagers
# of one slot, on a private Hadoop with both of the JVM's compilers.
# BENCH_SIZE (bytes) and BENCH_PARALLELISM change the job; BENCH_MICRO=0 leaves the micro-benchmarks out.
set -eu
tool=build/devcluster
if [ "${BENCH_INSIDE:-}" = 1 ]; then
	size=${BENCH_SIZE:-268435456}
	text=build/bench/text-$size
	home=/user/$HADOOP_USER_NAME
	mkdir -p build/bench
	[ -e "$text" ] || build/dist/bench/weft-bench gentext --size "$size" -o "$text"
	$tool put -dir build/bench/cluster "$text" "$home/text"
	build/dist/bin/yarn-session.sh -jm 1024 -tm 1728 -s 1 -d
	build/dist/bin/weft run -p "${BENCH_PARALLELISM:-2}" build/dist/bench/weft-bench wordcount-batch \
		--parallelism "${BENCH_PARALLELISM:-2}" --input "hdfs://$home/text" --output "hdfs://$home/counts"
	exit
fi
if [ "${BENCH_MICRO:-1}" != 0 ]; then
	go test -run '^$' -bench . -benchmem ./... | grep -v 'no test files'
fi
go build -o $tool ./scripts/devcluster
BENCH_INSIDE=1 exec $tool run -dir build/bench/cluster -full-jit -keep -- sh scripts/bench.sh
