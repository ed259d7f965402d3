package operator

// FilterRefFactory is FilterFactory for large records: the function reads the record in place.
func FilterRefFactory[A any](open func(*Context) func(*A) bool) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[A](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		var fn func(*A) bool
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			if fn(v) {
				next(v)
			}
		})
		return Instance{o, []any{in}}, nil
	}
}

// FlatMapRefFactory is FlatMapFactory for large records: the function reads the record in place.
func FlatMapRefFactory[A, B any](open func(*Context) func(*A, func(B))) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[B](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		emit := emitter(c, op, next)
		var fn func(*A, func(B))
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			fn(v, emit)
		})
		return Instance{o, []any{in}}, nil
	}
}

// SinkRefFactory gives each record to the function in place.
func SinkRefFactory[A any](open func(*Context) func(*A)) Factory {
	return func(c *Context, op int, _ any) (Instance, error) {
		o := &opener{}
		var each func(*A)
		o.open = func() error { each = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			each(v)
		})
		return Instance{o, []any{in}}, nil
	}
}
