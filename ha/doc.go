// Package ha is core: what leadership and durable pointers mean, and the decisions they rest on, without I/O.
//
// Reading order: [Store] and [Term], the contract of every store (store.go); [Lease], how long a leader may act on an answer
// (lease.go); [NextEpoch] (epoch.go); [Seal] and [Open], how values are stored (envelope.go). Stores are drivers in sub-packages: zookeeper, hdfsha,
// and memory for tests; hatest proves them by one suite. Package journal keeps a JobManager's jobs in a store; package
// site chooses a store by the configuration.
//
// Rules every store keeps, and hatest and the simulations check:
//
//   - HA1. Epochs are handed out once, and each is higher than all before it in the cluster, also after the cluster's entries were
//     removed and made again (F1).
//   - HA2. Once Campaign has returned an epoch, no write of a lower one takes effect (F4). A refused write changes nothing.
//   - HA3. What a write has returned nil for is read by every term that begins later.
//   - HA4. Check fails by the leader's own clock when its arbiter has not answered for two thirds of the lease (F3). So
//     no two terms pass Check at one moment, unless somebody who knew better (YARN, or a stand-by that saw the process
//     end) had the older one deposed; that one may pass Check until it hears of it, and F5 makes it harmless.
//   - HA5. A job with a result is never recovered and never submitted again.
//   - HA6. A lost term stays lost: Lost is closed once, and every later Check and write fails.
//   - HA7. When the trouble is over, somebody leads.
package ha
