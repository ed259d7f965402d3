package operator

import "testing"

// A generator that has made all its records, and is restored at another parallelism, makes none again.
func TestGeneratorsRememberTheirEnd(t *testing.T) {
	was := &generator[int]{c: &Context{Parallelism: 1}, n: 10, strides: []stride{{10, 1}}}
	if was.first() != nil {
		t.Fatalf("%v: expected its end", was.strides)
	}
	stored := (*strides[int])(was).Snapshot()
	if len(stored) == 0 {
		t.Fatal("nothing is stored, so that nothing is restored")
	}
	for _, p := range []int{1, 3} {
		is := &generator[int]{c: &Context{Parallelism: p}, n: 10, strides: []stride{{0, int64(p)}}}
		if err := (*strides[int])(is).Restore(stored); err != nil || is.first() != nil {
			t.Errorf("parallelism %d: %v, %v", p, is.strides, err)
		}
	}
}
