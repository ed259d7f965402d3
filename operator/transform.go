package operator

// MapFactory applies open's function to each record.
func MapFactory[A, B any](open func(*Context) func(A) B) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[B](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		slot := new(B)
		var fn func(A) B
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			*slot = fn(*v)
			next(slot)
		})
		return Instance{o, []any{in}}, nil
	}
}

// MapRefFactory is MapFactory for large records: fn reads *A in place and fills *B.
func MapRefFactory[A, B any](open func(*Context) func(*A, *B)) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[B](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		slot := new(B)
		var zero B
		var fn func(*A, *B)
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			*slot = zero
			fn(v, slot)
			next(slot)
		})
		return Instance{o, []any{in}}, nil
	}
}

// FilterFactory lets the records pass for which the function says so.
func FilterFactory[A any](open func(*Context) func(A) bool) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[A](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		var fn func(A) bool
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			if fn(*v) {
				next(v)
			}
		})
		return Instance{o, []any{in}}, nil
	}
}

// FlatMapFactory gives the function an emit that calls the next operator directly.
func FlatMapFactory[A, B any](open func(*Context) func(A, func(B))) Factory {
	return func(c *Context, op int, out any) (Instance, error) {
		next, err := emitOf[B](out)
		if err != nil {
			return Instance{}, err
		}
		o := &opener{}
		slot := new(B)
		emit := func(b B) {
			*slot = b
			next(slot)
			c.Op = op // back in this operator's function
		}
		var fn func(A, func(B))
		o.open = func() error { fn = open(c); return nil }
		in := Emit[A](func(v *A) {
			c.Op = op
			fn(*v, emit)
		})
		return Instance{o, []any{in}}, nil
	}
}

// UnionFactory passes records on; all inputs of a union are one input.
func UnionFactory[A any]() Factory {
	return func(_ *Context, _ int, out any) (Instance, error) {
		next, err := emitOf[A](out)
		if err != nil {
			return Instance{}, err
		}
		return Instance{Base{}, []any{next}}, nil
	}
}

// SinkFactory gives each record to the function; close is called at the end.
func SinkFactory[A any](open func(*Context) (each func(A), end func() error)) Factory {
	return func(c *Context, op int, _ any) (Instance, error) {
		o := &opener{}
		var each func(A)
		o.open = func() error {
			var end func() error
			each, end = open(c)
			o.end = end
			return nil
		}
		in := Emit[A](func(v *A) {
			c.Op = op
			each(*v)
		})
		return Instance{o, []any{in}}, nil
	}
}

// DiscardFactory drops records and counts them.
func DiscardFactory[A any]() Factory {
	return func(*Context, int, any) (Instance, error) {
		return Instance{Base{}, []any{Emit[A](func(*A) {})}}, nil
	}
}

// opener is an Operator made of functions.
type opener struct {
	Base
	open func() error
	end  func() error
}

// Open is Operator's.
func (o *opener) Open() error { return o.open() }

// EndInput is Operator's.
func (o *opener) EndInput() error {
	if o.end == nil {
		return nil
	}
	return o.end()
}
