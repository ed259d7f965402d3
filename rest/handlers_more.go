package rest

import (
	"net/http"
	"strings"

	"github.com/weft-project/weft/internal/stacks"
)

func handleBackPressure(s *Server, w http.ResponseWriter, r *http.Request) error {
	v, err := s.vertex(r)
	if err != nil {
		return err
	}
	doc := backPressure(&v)
	return writeJSON(w, &doc)
}

func handleFlameGraph(s *Server, w http.ResponseWriter, r *http.Request) error {
	if _, err := s.vertex(r); err != nil {
		return err
	}
	return writeJSON(w, &FlameGraph{EndTimestamp: -2})
}

// handleOperatorMetrics answers for metrics of operators inside the JobManager, of which there are none.
func handleOperatorMetrics(s *Server, w http.ResponseWriter, r *http.Request) error {
	if _, err := s.vertex(r); err != nil {
		return err
	}
	return writeJSON(w, &[]Metric{})
}

func handleRequirements(s *Server, w http.ResponseWriter, r *http.Request) error {
	d, err := s.job(r)
	if err != nil {
		return err
	}
	doc := make(map[string]VertexRequirements, len(d.Vertices))
	for _, v := range d.Vertices {
		doc[v.ID] = VertexRequirements{Parallelism: ParallelismBounds{Lower: v.Parallelism, Upper: v.Parallelism}}
	}
	return writeJSON(w, &doc)
}

func handleDataSets(_ *Server, w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, &DataSets{})
}

func handleThreadDump(_ *Server, w http.ResponseWriter, _ *http.Request) error {
	doc := threadDump(string(stacks.All()))
	return writeJSON(w, &doc)
}

// threadDump takes the text of runtime.Stack apart: goroutines are separated by empty lines, the first line of each names it.
func threadDump(text string) ThreadDump {
	var doc ThreadDump
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		name, _, _ := strings.Cut(part, " [")
		doc.Threads = append(doc.Threads, ThreadInfo{Name: name, Text: part + "\n\n"})
	}
	return doc
}
