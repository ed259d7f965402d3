// Package launch is a driver: the composition root of a job binary. It plays the role that the environment gives this
// process (internal/role): it runs the program here, hands its graph over, or serves it as a worker. stream blank-imports
// it.
package launch
