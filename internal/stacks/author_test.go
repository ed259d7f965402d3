package stacks

import "testing"

func TestAuthor(t *testing.T) {
	const head = "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/go/debug/stack.go:26 +0x5e\nx.recovered()\n\t/x.go:1\npanic({0x1, 0x2})\n\t/go/panic.go:792 +0x132\n"
	const (
		index  = "runtime.goPanicIndex(0x5)\n\t/go/panic.go:115 +0x74\n"
		state  = "github.com/weft-project/weft/state.(*Value[...]).Set(0x1)\n\t/state/value.go:9 +0x1\n"
		author = "main.(*job).split({0x1, 0x2})\n\t/job/main.go:31 +0x2a\nmain.run.func1(...)\n\t/job/main.go:12 +0x3\n"
		called = "github.com/weft-project/weft/operator.MapFactory[...].func1.2(0xc)\n\t/operator/transform.go:18 +0x1\nmain.main()\n\t/job/main.go:1 +0x1\n"
		begun  = "created by github.com/weft-project/weft/taskexec/worker.(*Runtime).Deploy in goroutine 1\n\t/w.go:1 +0x5\n"
	)
	want := "\tat main.(*job).split (/job/main.go:31)\n\tat main.run.func1 (/job/main.go:12)"
	inlined := "main.run.func1.PartitionBy[...].4(...)\n\t" + root + "stream/stream.go:7\n"
	for name, tt := range map[string]struct{ stack, want string }{
		"an index":                   {head + index + author + called + begun, want},
		"inside of a call of ours":   {head + state + author + called + begun, want},
		"again after a deferred one": {head + called + head + author + called, want},
		"one of ours inlined":        {head + author + inlined + author, want},
		"nothing of the author's":    {head + state + begun, "\tat github.com/weft-project/weft/state.(*Value[...]).Set (/state/value.go:9)"},
		"nothing at all":             {"", ""},
	} {
		if got := Author(tt.stack); got != tt.want {
			t.Errorf("%s:\n%s\nexpected\n%s", name, got, tt.want)
		}
	}
}
