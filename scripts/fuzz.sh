#!/bin/sh
# Runs every fuzz test of the module for the given time: fuzz.sh 1m.
set -eu
time=${1:-1m}
grep -rl --include='*_test.go' '^func Fuzz' . | grep -v '^\./build/' | xargs -r -n1 dirname | sort -u | while read -r dir; do
	for f in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go); do
		echo "$dir $f"
		# Large seeds would be made smaller for most of the time otherwise.
		go test -run '^$' -fuzz "^$f\$" -fuzztime "$time" -fuzzminimizetime 1x "$dir" </dev/null
	done
done
