package spec

import (
	"encoding/json"
	"fmt"
)

// JobSpec is what a main beside the JobManager is run with.
type JobSpec struct {
	// Name of the job's binary, for messages.
	Name string   `json:"name"`
	Args []string `json:"args,omitempty"`
	// Environment is what main and workers get of the client's environment (W2).
	Environment map[string]string `json:"environment,omitempty"`
	// Config is the client's command line.
	Config map[string]string `json:"config,omitempty"`
	// URI is where TaskManagers read the binary. SHA256 is empty where the client has not read it.
	URI    string `json:"uri"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
}

// Encode writes the file Job.
func (j *JobSpec) Encode() ([]byte, error) {
	b, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Job, err)
	}
	return b, nil
}

// DecodeJob reads what Encode wrote.
func DecodeJob(b []byte) (*JobSpec, error) {
	j := &JobSpec{}
	if err := json.Unmarshal(b, j); err != nil {
		return nil, fmt.Errorf("%s: %w", Job, err)
	}
	if j.URI == "" {
		return nil, fmt.Errorf("%s names no binary", Job)
	}
	return j, nil
}
