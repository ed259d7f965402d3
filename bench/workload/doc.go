// Package workload is core: the input data of the benchmarks, defined to the bit in docs/benchmarks.md, so that a faster
// wrong answer does not count. It draws no randomness from anywhere but its seeds.
package workload
