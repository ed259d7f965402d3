package topology

import (
	"fmt"
	"slices"
	"testing"

	"github.com/weft-project/weft/rpc/planpb"
)

func TestConsumers(t *testing.T) {
	tests := []struct {
		p        planpb.Partitioner
		up, down int
		want     string // the consumers of each producer
	}{
		{planpb.Partitioner_FORWARD, 3, 3, "[[0] [1] [2]]"},
		{planpb.Partitioner_HASH, 2, 3, "[[0 1 2] [0 1 2]]"},
		{planpb.Partitioner_REBALANCE, 3, 2, "[[0 1] [0 1] [0 1]]"},
		{planpb.Partitioner_BROADCAST, 1, 2, "[[0 1]]"},
		{planpb.Partitioner_GLOBAL, 1, 2, "[[0 1]]"},
		{planpb.Partitioner_SHUFFLE, 2, 1, "[[0] [0]]"},
		{planpb.Partitioner_RESCALE, 2, 4, "[[0 1] [2 3]]"},
		{planpb.Partitioner_RESCALE, 4, 2, "[[0] [0] [1] [1]]"},
		{planpb.Partitioner_RESCALE, 3, 7, "[[0 1] [2 3] [4 5 6]]"},
		{planpb.Partitioner_RESCALE, 7, 3, "[[0] [0] [0] [1] [1] [2] [2]]"},
		{planpb.Partitioner_RESCALE, 3, 3, "[[0] [1] [2]]"},
	}
	for _, tt := range tests {
		var got [][]int
		for i := range tt.up {
			got = append(got, Consumers(tt.p, tt.up, tt.down, i))
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s from %d to %d: %v, expected %s", tt.p, tt.up, tt.down, got, tt.want)
		}
	}
}

// Every consumer has a producer and every producer a consumer; shares of RESCALE differ by one at most, and each edge of
// the smaller side is met once.
func TestNobodyIsLeftOut(t *testing.T) {
	for p := range planpb.Partitioner_name {
		for up := 1; up <= 20; up++ {
			for down := 1; down <= 20; down++ {
				if planpb.Partitioner(p) == planpb.Partitioner_FORWARD && up != down {
					continue
				}
				checkShares(t, planpb.Partitioner(p), up, down)
			}
		}
	}
}

func checkShares(t *testing.T, p planpb.Partitioner, up, down int) {
	t.Helper()
	producers := make([]int, down)
	var sizes []int
	for i := range up {
		list := Consumers(p, up, down, i)
		if len(list) == 0 || !slices.IsSorted(list) || list[0] < 0 || list[len(list)-1] >= down {
			t.Fatalf("%s from %d to %d: producer %d feeds %v", p, up, down, i, list)
		}
		sizes = append(sizes, len(list))
		for _, c := range list {
			producers[c]++
		}
	}
	if slices.Min(producers) == 0 {
		t.Fatalf("%s from %d to %d: a consumer has no producer: %v", p, up, down, producers)
	}
	if p == planpb.Partitioner_RESCALE {
		if slices.Max(sizes)-slices.Min(sizes) > 1 || slices.Max(producers)-slices.Min(producers) > 1 {
			t.Fatalf("rescale from %d to %d: uneven shares %v, %v", up, down, sizes, producers)
		}
		if up >= down && slices.Max(sizes) != 1 || up <= down && slices.Max(producers) != 1 {
			t.Fatalf("rescale from %d to %d: more channels than needed: %v, %v", up, down, sizes, producers)
		}
	}
}
