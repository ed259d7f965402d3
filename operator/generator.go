package operator

// generatorBatch is how many records a generator emits before the task looks around.
const generatorBatch = 1024

// GeneratorFactory is a bounded source of n records; subtask k of p makes records k, k+p, k+2p, …
func GeneratorFactory[T any](n int64, fill func(i int64, v *T)) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[T](out)
		if err != nil {
			return Instance{}, err
		}
		g := &generator[T]{c: c, op: op, next: next, fill: fill, n: n, slot: new(T), at: int64(c.Subtask())}
		return Instance{Operator: g}, nil
	}
}

type generator[T any] struct {
	Base
	c    *Context
	op   int
	next Emit[T]
	fill func(int64, *T)
	n    int64
	at   int64
	slot *T
}

// Poll is Source's.
func (g *generator[T]) Poll() (Status, error) {
	step := int64(g.c.Parallelism)
	var zero T
	for range generatorBatch {
		if g.at >= g.n {
			return End, nil
		}
		*g.slot = zero // downstream may have changed the last one in place
		g.c.Op = g.op
		g.fill(g.at, g.slot)
		g.next(g.slot)
		g.at += step
	}
	return More, nil
}

// Wake is Source's: a generator is never idle.
func (g *generator[T]) Wake() <-chan struct{} { return nil }
