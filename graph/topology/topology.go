package topology

import "github.com/weft-project/weft/rpc/planpb"

// Consumers gives the consumer subtasks that producer subtask i of up feeds, of down in all, in subpartition order.
//
//   - FORWARD: its twin.
//   - RESCALE: a contiguous share, so that data stays within neighbours.
//   - everything else: all.
func Consumers(p planpb.Partitioner, up, down, i int) []int {
	switch p {
	case planpb.Partitioner_FORWARD:
		return []int{i}
	case planpb.Partitioner_RESCALE:
		if up >= down {
			return []int{i * down / up}
		}
		return span(i*down/up, (i+1)*down/up)
	}
	return span(0, down)
}

func span(from, to int) []int {
	s := make([]int, 0, to-from)
	for k := from; k < to; k++ {
		s = append(s, k)
	}
	return s
}
