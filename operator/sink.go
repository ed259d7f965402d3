package operator

// Sink describes what the records of a stream are written to: those of connectors, kafka.Sink for example.
type Sink[T any] struct {
	// Factory makes the operator of a subtask; its input is an Emit[T].
	Factory Factory
	// Invalid, where it is set, is why there can be no such sink; it is reported with the author's line.
	Invalid error
}
