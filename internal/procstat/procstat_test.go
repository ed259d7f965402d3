package procstat

import (
	"runtime"
	"testing"
)

func TestRead(t *testing.T) {
	before := Read()
	runtime.GC()
	p := Read()
	if p.HeapUsed <= 0 || p.HeapCommitted < p.HeapUsed || p.Goroutines < 1 || p.CpuMs < before.CpuMs || p.Other <= 0 {
		t.Errorf("%v", p)
	}
	if p.Collections <= before.Collections {
		t.Errorf("%d collections after %d and one more", p.Collections, before.Collections)
	}
}

func TestAdd(t *testing.T) {
	sum := Read()
	one := sum.GetHeapUsed()
	Add(sum, Read())
	if sum.HeapUsed <= one || sum.HeapMax != -1 {
		t.Errorf("%v", sum)
	}
}
