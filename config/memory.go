package config

const sectionParts = "Memory by parts, as Flink has it"

// Parts of a process's memory in Flink. They say how large the container is where its own key is not set, and nothing else:
// a process of Weft has no such parts.
var (
	jobManagerFlink = memory(sectionParts, "jobmanager.memory.flink.size", "",
		"The JobManager's memory without metaspace and overhead: its container is larger by these.")
	jobManagerHeap = memory(sectionParts, "jobmanager.memory.heap.size", "",
		"The JobManager's heap: its container is larger by the other parts. jobmanager.memory.flink.size wins.")
	jobManagerOffHeap = memory(sectionParts, "jobmanager.memory.off-heap.size", "128m",
		"Added to jobmanager.memory.heap.size.")
	jobManagerMetaspace = memory(sectionParts, "jobmanager.memory.jvm-metaspace.size", "256m",
		"Added to jobmanager.memory.flink.size.")
	jobManagerOverhead = overhead("jobmanager")

	taskManagerFlink = memory(sectionParts, "taskmanager.memory.flink.size", "",
		"A TaskManager's memory without metaspace and overhead: its container is larger by these.")
	taskHeap = memory(sectionParts, "taskmanager.memory.task.heap.size", "",
		"Heap of tasks: together with taskmanager.memory.managed.size and the other parts the container's size. taskmanager.memory.flink.size wins.")
	managedMemory = memory(sectionParts, "taskmanager.memory.managed.size", "",
		"Managed memory, see taskmanager.memory.task.heap.size; what BATCH jobs sort and aggregate in, see taskmanager.memory.managed.fraction.", alias("taskmanager.memory.size"))
	taskOffHeap = memory(sectionParts, "taskmanager.memory.task.off-heap.size", "0",
		"Added to taskmanager.memory.task.heap.size.", alias("taskmanager.memory.off-heap.size"))
	frameworkHeap = memory(sectionParts, "taskmanager.memory.framework.heap.size", "128m",
		"Added to taskmanager.memory.task.heap.size.")
	frameworkOffHeap = memory(sectionParts, "taskmanager.memory.framework.off-heap.size", "128m",
		"Added to taskmanager.memory.task.heap.size.")
	networkMemory = share{
		fraction: fraction("taskmanager.memory.network.fraction", "The part of taskmanager.memory.flink.size for the network, added to taskmanager.memory.task.heap.size.",
			alias("taskmanager.network.memory.fraction")),
		least: memory(sectionParts, "taskmanager.memory.network.min", "64m", "The least of it.", alias("taskmanager.network.memory.min")),
		most:  memory(sectionParts, "taskmanager.memory.network.max", "8388607t", "The most of it.", alias("taskmanager.network.memory.max")),
	}
	taskManagerMetaspace = memory(sectionParts, "taskmanager.memory.jvm-metaspace.size", "256m",
		"Added to taskmanager.memory.flink.size.")
	taskManagerOverhead = overhead("taskmanager")
)

// share is a part that is a fraction of the whole, within bounds.
type share struct {
	fraction    *Option[float64]
	least, most *Option[MemorySize]
}

func fraction(key, doc string, parts ...with) *Option[float64] {
	return declare("Double", parseFraction, sectionParts, key, "0.1", doc, parts...)
}

func overhead(process string) share {
	prefix := process + ".memory.jvm-overhead."
	return share{
		fraction: fraction(prefix+"fraction", "The part of the container that is overhead, added to "+process+".memory.flink.size."),
		least:    memory(sectionParts, prefix+"min", "192m", "The least of it."),
		most:     memory(sectionParts, prefix+"max", "1g", "The most of it."),
	}
}

// of gives the share of a whole whose rest is known.
func (s share) of(c *Config, rest MemorySize) MemorySize {
	f := Get(c, s.fraction)
	return max(min(MemorySize(float64(rest)*f/(1-f)), Get(c, s.most)), Get(c, s.least))
}

// jobManagerSize is the JobManager's container by parts.
func jobManagerSize(c *Config) (derived, bool) {
	total, ok := Lookup(c, jobManagerFlink)
	from := jobManagerFlink.Key
	if !ok {
		if total, ok = Lookup(c, jobManagerHeap); !ok {
			return derived{}, false
		}
		from = jobManagerHeap.Key
		total += Get(c, jobManagerOffHeap)
	}
	return c.byParts("jobmanager.memory.process.size", from, total+Get(c, jobManagerMetaspace), jobManagerOverhead)
}

// taskManagerSize is a TaskManager's container by parts.
func taskManagerSize(c *Config) (derived, bool) {
	total, ok := Lookup(c, taskManagerFlink)
	from := taskManagerFlink.Key
	if !ok {
		heap, heapSet := Lookup(c, taskHeap)
		managed, managedSet := Lookup(c, managedMemory)
		if !heapSet || !managedSet {
			return derived{}, false
		}
		from = taskHeap.Key
		total = heap + managed + Get(c, taskOffHeap) + Get(c, frameworkHeap) + Get(c, frameworkOffHeap)
		total += networkMemory.of(c, total)
	}
	return c.byParts("taskmanager.memory.process.size", from, total+Get(c, taskManagerMetaspace), taskManagerOverhead)
}

// byParts gives the container's size when the key from is set in a higher layer than the container's own.
func (c *Config) byParts(own, from string, rest MemorySize, over share) (derived, bool) {
	if c.layerOf(own) >= c.layerOf(from) {
		return derived{}, false
	}
	// Whole MiB: YARN knows nothing less.
	size := MemorySize((rest + over.of(c, rest)).MB()) * MiB
	return derived{value: size.String(), from: from}, true
}

// layerOf is the highest layer that has key, or less than any.
func (c *Config) layerOf(key string) Layer {
	for i := len(c.layers) - 1; i >= 0; i-- {
		if _, ok := c.layers[i][key]; ok {
			return Layer(i)
		}
	}
	return -1
}
