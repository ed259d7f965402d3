package jobview

import (
	"sort"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rpc/planpb"
)

// Merge merges the accumulators of several tasks by name, sorted: counters are added; of other types, which only their
// operators could merge, the last value stays.
func Merge(all []*planpb.Accumulator) []*planpb.Accumulator {
	byName := map[string]*planpb.Accumulator{}
	for _, a := range all {
		m, known := byName[a.Name]
		if !known || m.Type != a.Type {
			byName[a.Name] = proto.CloneOf(a)
			continue
		}
		switch a.Type {
		case "LongCounter", "IntCounter":
			m.LongValue += a.LongValue
			m.Value = strconv.FormatInt(m.LongValue, 10)
		case "DoubleCounter":
			m.DoubleValue += a.DoubleValue
			m.Value = strconv.FormatFloat(m.DoubleValue, 'g', -1, 64)
		default:
			m.Value, m.LongValue, m.DoubleValue = a.Value, a.LongValue, a.DoubleValue
		}
	}
	merged := make([]*planpb.Accumulator, 0, len(byName))
	for _, m := range byName {
		merged = append(merged, m)
	}
	sort.Slice(merged, func(i, k int) bool { return merged[i].Name < merged[k].Name })
	return merged
}

func documents(list []*planpb.Accumulator) []rest.Accumulator {
	var docs []rest.Accumulator
	for _, a := range list {
		docs = append(docs, rest.Accumulator{Name: a.Name, Type: a.Type, Value: a.Value})
	}
	return docs
}
