package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Job identifies one submitted job: 16 random bytes, printed as 32 lower-case hex digits as Flink's JobID is.
type Job [16]byte

// NewJob draws a new random job id.
func NewJob() Job {
	var j Job
	if _, err := rand.Read(j[:]); err != nil {
		// crypto/rand does not fail on the platforms Go supports; there is no way on without random numbers.
		panic("no random numbers: " + err.Error())
	}
	return j
}

// String gives the 32 hex digits.
func (j Job) String() string { return hex.EncodeToString(j[:]) }

// IsZero tells the unset id.
func (j Job) IsZero() bool { return j == Job{} }

// ParseJob reads 32 hex digits.
func ParseJob(s string) (Job, error) {
	var j Job
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(j) {
		return j, fmt.Errorf("job id %q: expected 32 hexadecimal digits", s)
	}
	copy(j[:], b)
	return j, nil
}

// Vertex identifies a vertex of the JobGraph: 16 bytes that follow from the operators' UIDs or, without them, from
// their place in the graph, so that plan and workers agree. Printed as 32 hex digits.
type Vertex [16]byte

// VertexOf derives a vertex id from a stable text.
func VertexOf(stable string) Vertex {
	sum := sha256.Sum256([]byte("weft vertex\x00" + stable))
	var v Vertex
	copy(v[:], sum[:])
	return v
}

// String gives the 32 hex digits.
func (v Vertex) String() string { return hex.EncodeToString(v[:]) }

// ParseVertex reads 32 hex digits.
func ParseVertex(s string) (Vertex, error) {
	var v Vertex
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(v) {
		return v, fmt.Errorf("vertex id %q: expected 32 hexadecimal digits", s)
	}
	copy(v[:], b)
	return v, nil
}

// Attempt names one execution attempt of one subtask (F2): data handshakes, part files and transactions carry it, and
// receivers refuse an older one.
type Attempt struct {
	Job     Job
	Vertex  Vertex
	Subtask int
	// Number grows by one with each execution of the subtask, from 0.
	Number int
}

// String gives "vertex-prefix/subtask#attempt" for log lines.
func (a Attempt) String() string {
	return fmt.Sprintf("%s/%d#%d", a.Vertex.String()[:8], a.Subtask, a.Number)
}
