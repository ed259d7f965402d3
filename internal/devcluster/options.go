package devcluster

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// DefaultVersion is the Hadoop release that is started when Options.Version is empty.
const DefaultVersion = "3.4.2"

// ProfileVMem is the profile with Hadoop's own container checks: virtual memory check on with ratio 2.1, its own monitor
// interval, minimum allocation and resource calculator.
const ProfileVMem = "vmem"

// Options says what to start. The zero value is a cluster of one DataNode and two NodeManagers in a new temporary directory.
type Options struct {
	Dir          string // all state; created when missing; default: a new directory below os.TempDir()
	Version      string // Hadoop release, default DefaultVersion
	NodeManagers int    // default 2
	DataNodes    int    // default 1
	NodeMemoryMB int    // memory a NodeManager offers, MiB, default 8192 (bookkeeping: nothing is reserved)
	NodeVCores   int    // vcores a NodeManager offers, default 8
	Profile      string // "" or ProfileVMem
	HDFSOnly     bool   // NameNode and DataNodes only
	KDCOnly      bool   // with Kerberos: the KDC only
	// Kerberos makes a secured cluster when not nil.
	Kerberos *Kerberos
	// Queues of the capacity scheduler below root; capacities add up to 100. Default: default (90 %, may grow to all) and
	// small (10 %, may not grow).
	Queues []Queue
	// Conf overrides: file ("core-site.xml", "hdfs-site.xml", "yarn-site.xml", "capacity-scheduler.xml") → key → value.
	Conf map[string]map[string]string
	// FullJIT gives the daemons both compilers and larger heaps. Without it they start quicker (C1 only) and must not be
	// used for throughput measurements.
	FullJIT bool
	// Detached clusters live until Stop, whichever process calls it; others die with the process that started them.
	Detached bool
	Log      io.Writer // progress as plain lines; nil: none
}

// Queue is one leaf queue of the capacity scheduler.
type Queue struct {
	Name        string
	Capacity    int // percent of the cluster
	MaxCapacity int // percent of the cluster that it may grow to, default 100
}

// Bounds of what one machine can hold and what one block of ports can serve.
const (
	maxNodeManagers = 10
	maxDataNodes    = 6
)

func (o Options) withDefaults() (Options, error) {
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.NodeManagers == 0 {
		o.NodeManagers = 2
	}
	if o.HDFSOnly || o.KDCOnly {
		o.NodeManagers = 0
	}
	var err error
	if o.Kerberos, err = o.Kerberos.withDefaults(); err != nil {
		return o, err
	}
	if o.DataNodes == 0 {
		o.DataNodes = 1
	}
	if o.KDCOnly && o.Kerberos == nil {
		return o, fmt.Errorf("devcluster: a cluster of nothing but a KDC needs Options.Kerberos")
	}
	if o.KDCOnly {
		o.DataNodes = 0
	}
	if o.NodeMemoryMB == 0 {
		o.NodeMemoryMB = 8192
	}
	if o.NodeVCores == 0 {
		o.NodeVCores = 8
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Queues == nil {
		o.Queues = []Queue{{Name: "default", Capacity: 90}, {Name: "small", Capacity: 10, MaxCapacity: 10}}
	}
	if o.NodeManagers < 0 || o.NodeManagers > maxNodeManagers {
		return o, fmt.Errorf("devcluster: %d NodeManagers: expected 1 to %d", o.NodeManagers, maxNodeManagers)
	}
	if o.DataNodes < 0 || o.DataNodes > maxDataNodes {
		return o, fmt.Errorf("devcluster: %d DataNodes: expected 1 to %d", o.DataNodes, maxDataNodes)
	}
	if o.Profile != "" && o.Profile != ProfileVMem {
		return o, fmt.Errorf("devcluster: profile %q: expected %q or none", o.Profile, ProfileVMem)
	}
	for file := range o.Conf {
		switch file {
		case coreSite, hdfsSite, yarnSite, capacityScheduler:
		default:
			return o, fmt.Errorf("devcluster: configuration file %q: expected %s, %s, %s or %s",
				file, coreSite, hdfsSite, yarnSite, capacityScheduler)
		}
	}
	sum := 0
	for _, q := range o.Queues {
		sum += q.Capacity
	}
	if sum != 100 {
		return o, fmt.Errorf("devcluster: queue capacities add up to %d %%, expected 100", sum)
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "weft-devcluster-")
		if err != nil {
			return o, fmt.Errorf("devcluster: make a directory for the cluster: %w", err)
		}
		o.Dir = dir
	}
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("devcluster: directory %s: %w", o.Dir, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return o, fmt.Errorf("devcluster: %w", err)
	}
	// Processes are recognised by paths below the directory as the kernel prints them: without symbolic links.
	if o.Dir, err = filepath.EvalSymlinks(abs); err != nil {
		return o, fmt.Errorf("devcluster: %w", err)
	}
	return o, nil
}
