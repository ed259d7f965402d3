// Package randomjob is core: programs drawn from a seed, for tests. What comes out of such a program is fixed by its seed,
// so any two ways to run it (parallelism, chaining, buffers, mode, processes, failures in between) must agree.
package randomjob
