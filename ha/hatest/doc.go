// Package hatest is a driver: the conformance suite of high-availability stores, a link that can be cut, and the simulation that looks for
// two leaders at once.
//
// [Run] proves a store by the rules of package ha; [Simulate] lets several processes campaign, publish and finish jobs while
// links are cut and processes stand still, by a seed, and checks every step. Stores in memory run under testing/synctest, so
// that leases cost no time. A change of a store is worth thousands of seeds: WEFT_HA_SEEDS=5000 go test ./ha/... -run Simulation.
package hatest
