package stream

import (
	"encoding/json"
	"fmt"

	"github.com/weft-project/weft/internal/role"
)

// Captured takes a value from the outside world (the clock, a database, a local file). take runs where the plan is made and in
// local runs; workers get the value that was taken then. The value travels with the graph as JSON and is part of its
// fingerprint (W3, W4). Calls must come in the same order each time main runs.
func Captured[T any](name string, take func() (T, error)) (T, error) {
	var v T
	b, err := role.TheLauncher().Captured(name, func() ([]byte, error) {
		taken, err := take()
		if err != nil {
			return nil, err
		}
		return json.Marshal(taken)
	})
	if err != nil {
		return v, fmt.Errorf("captured value %q: %w", name, err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("captured value %q: %w", name, err)
	}
	return v, nil
}

// Once does something to the outside world where the plan is made and in local runs, and nothing in workers (W3).
func Once(name string, do func() error) error {
	if err := role.TheLauncher().Once(name, do); err != nil {
		return fmt.Errorf("once %q: %w", name, err)
	}
	return nil
}
