package rest

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// This file is core: choosing and aggregating metrics by query parameters.

// maxQueryList bounds the entries of a list in a query parameter.
const maxQueryList = 1000

// queryList reads "a,b" and repeated parameters; nil when the parameter is absent.
func queryList(q url.Values, name string) ([]string, error) {
	var list []string
	for _, value := range q[name] {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if len(list) == maxQueryList {
				return nil, Invalid("parameter %s has more than %d entries", name, maxQueryList)
			}
			list = append(list, part)
		}
	}
	return list, nil
}

// chooseMetrics gives the metrics named, with values; the names of all when none is named.
func chooseMetrics(all []Metric, names []string) []Metric {
	chosen := []Metric{}
	if names == nil {
		for _, m := range all {
			chosen = append(chosen, Metric{ID: m.ID})
		}
		return chosen
	}
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	for _, m := range all {
		if wanted[m.ID] {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// aggregations are the figures of an aggregated metric, by the names of ?agg=.
var aggregations = [...]string{"min", "max", "avg", "sum", "skew"}

// aggregateMetrics aggregates the metrics named over several owners. Values that are not numbers are left out. Without
// names the union of all ids is listed.
func aggregateMetrics(owners [][]Metric, names, figures []string) ([]AggregatedMetric, error) {
	for _, f := range figures {
		if !slices.Contains(aggregations[:], f) {
			return nil, Invalid("parameter agg: %.40q is none of %s", f, strings.Join(aggregations[:], ", "))
		}
	}
	if figures == nil {
		figures = aggregations[:]
	}
	var order []string
	values := map[string][]float64{}
	for _, metrics := range owners {
		for _, m := range metrics {
			if _, ok := values[m.ID]; !ok {
				order = append(order, m.ID)
				values[m.ID] = nil
			}
			if v, err := strconv.ParseFloat(m.Value, 64); err == nil && !math.IsNaN(v) {
				values[m.ID] = append(values[m.ID], v)
			}
		}
	}
	result := []AggregatedMetric{}
	if names == nil {
		for _, id := range order {
			result = append(result, AggregatedMetric{ID: id})
		}
		return result, nil
	}
	for _, name := range slices.Compact(names) {
		if v := values[name]; len(v) > 0 {
			result = append(result, aggregated(name, v, figures))
		}
	}
	return result, nil
}

func aggregated(name string, values []float64, figures []string) AggregatedMetric {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	a := AggregatedMetric{ID: name}
	for _, f := range figures {
		var v float64
		var place **Double
		switch f {
		case "min":
			v, place = slices.Min(values), &a.Min
		case "max":
			v, place = slices.Max(values), &a.Max
		case "avg":
			v, place = mean, &a.Avg
		case "sum":
			v, place = sum, &a.Sum
		case "skew":
			v, place = skew(values, mean), &a.Skew
		}
		d := Double(v)
		*place = &d
	}
	return a
}

// skew is the mean absolute deviation in per cent of the mean.
func skew(values []float64, mean float64) float64 {
	if mean == 0 {
		return 0
	}
	deviation := 0.0
	for _, v := range values {
		deviation += math.Abs(v - mean)
	}
	return deviation / float64(len(values)) / mean * 100
}

// subtaskRanges reads "0,2-4" into the subtasks below parallelism; all when the list is nil.
func subtaskRanges(list []string, parallelism int) ([]int, error) {
	wanted := make([]bool, max(parallelism, 0))
	for _, part := range list {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.ParseUint(from, 10, 31)
		b, errB := strconv.ParseUint(to, 10, 31)
		if errA != nil || errB != nil || a > b {
			return nil, Invalid("parameter subtasks: %.40q is neither a subtask index nor a range FROM-TO", part)
		}
		for i := a; i <= b && i < uint64(len(wanted)); i++ {
			wanted[i] = true
		}
	}
	var subtasks []int
	for i, w := range wanted {
		if w || list == nil {
			subtasks = append(subtasks, i)
		}
	}
	return subtasks, nil
}
