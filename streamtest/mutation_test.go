package streamtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// basket is a record that shares memory with its copies.
type basket struct {
	Customer string
	Items    []item
	Notes    map[string]string
	Gift     *item
	At       time.Time
	Raw      []byte
	Message  *wrapperspb.StringValue
	List     *structpb.Struct
}

type item struct {
	Name string
	N    int
}

func aBasket(int64) basket {
	return basket{"ann", []item{{"tea", 1}, {"jam", 2}}, map[string]string{"door": "left"}, &item{"card", 1}, time.UnixMilli(7), []byte("xyz"),
		wrapperspb.String("hello"), &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewListValue(&structpb.ListValue{
			Values: []*structpb.Value{structpb.NewNumberValue(1), structpb.NewNumberValue(2)}})}}}
}

func byCustomer(b basket) string { return b.Customer }

// changers are functions that change a record that they do not own, and what is said of them.
var changers = map[string]struct {
	build func(in *stream.Stream[basket])
	want  string
}{
	"map changes a slice": {func(in *stream.Stream[basket]) {
		stream.Discard(stream.Map(in, "bad", func(b basket) basket { b.Items[1].N++; return b }), "end")
	}, `operator "bad" changed a record that it was given, which it does not own: field Items[1].N was 2 and is 3`},
	"filter deletes from a map": {func(in *stream.Stream[basket]) {
		stream.Discard(stream.Filter(in, "bad", func(b basket) bool { delete(b.Notes, "door"); return true }), "end")
	}, `operator "bad" changed a record that it was given, which it does not own: field len(Notes) was 1 and is 0`},
	"sink sorts what a pointer leads to": {func(in *stream.Stream[basket]) {
		stream.ForEach(in, "bad", func(b basket) { b.Gift.Name = "" })
	}, `operator "bad" changed a record that it was given, which it does not own: field Gift.Name was "card" and is ""`},
	"MapRef changes its input in place": {func(in *stream.Stream[basket]) {
		stream.Discard(stream.MapRef(in, "bad", func(in *basket, out *basket) { in.At = time.UnixMilli(8); *out = *in }), "end")
	}, `field At was 1970-01-01T00:00:00.007Z and is 1970-01-01T00:00:00.008Z`},
	"bytes": {func(in *stream.Stream[basket]) {
		stream.ForEach(in, "bad", func(b basket) { b.Raw[0] = 'a' })
	}, `field Raw was "xyz" and is "ayz"`},
	"protobuf message": {func(in *stream.Stream[basket]) {
		stream.ForEach(in, "bad", func(b basket) { b.Message.Value = "bye" })
	}, `field Message.value was "hello" and is "bye"`},
	"protobuf message, deep inside": {func(in *stream.Stream[basket]) {
		stream.ForEach(in, "bad", func(b basket) { b.List.Fields["a"].GetListValue().Values[1] = structpb.NewNumberValue(5) })
	}, `field List.fields["a"].list_value.values[1].number_value was 2 and is 5`},
	"the second of two that are chained": {func(in *stream.Stream[basket]) {
		good := stream.Map(in, "good", func(b basket) basket { return b })
		stream.ForEach(good, "bad", func(b basket) { b.Items[0].N = 0 })
	}, `operator "bad"`},
	"key function": {func(in *stream.Stream[basket]) {
		keyed := stream.KeyBy(stream.Map(in, "bad", func(b basket) basket { return b }), func(b basket) string { b.Items[0].N = 0; return "" })
		stream.Discard(stream.Reduce(keyed, "reduce", func(a, _ basket) basket { return a }), "end")
	}, `which it does not own: field Items[0].N was 1 and is 0`},
	"timestamp function": {func(in *stream.Stream[basket]) {
		stream.Discard(stream.AssignTimestamps(in, "bad", stream.Monotonous(func(b *basket) int64 { b.Customer = "bob"; return 0 })), "end")
	}, `operator "bad" changed a record that it was given, which it does not own: field Customer was "ann" and is "bob"`},
	"reduce of a window changes the new record": {func(in *stream.Stream[basket]) {
		w := stream.WindowAll(in, stream.CountWindow(2))
		stream.Discard(stream.ReduceWindow(w, "good", func(a, b basket) basket { b.Items[0].N = 9; return a }), "end") // it is given a copy
		stream.ForEach(in, "bad", func(b basket) { b.Items = append(b.Items[:0], b.Items[1:]...) })
	}, `operator "bad"`},
	"process function that has kept a record": {func(in *stream.Stream[basket]) {
		stream.Discard(stream.Process(in, "bad", func(c *stream.ProcessContext, emit func(basket)) func(basket) {
			var first *item
			return func(b basket) {
				if first == nil {
					first = b.Gift
					return
				}
				first.N++
			}
		}), "end")
	}, `operator "bad" changed a record that it was given earlier and has kept, which it does not own: field Gift.N was 1 and is 2`},
}

// The detector finds each function that changes what it does not own, and names operator and field.
func TestMutationIsDetected(t *testing.T) {
	for name, c := range changers {
		t.Run(name, func(t *testing.T) {
			job := func(options ...streamtest.Option) string {
				return streamtest.Failing(t, func(t testing.TB) {
					env := stream.New()
					c.build(stream.Generate(env, "baskets", 4, aBasket))
					streamtest.Run(t, env, options...)
				})
			}
			for _, parallelism := range []int{1, 2} {
				if got := job(streamtest.Parallelism(parallelism)); !strings.Contains(got, c.want) {
					t.Errorf("parallelism %d: %q is not in %q", parallelism, c.want, got)
				}
			}
			if got := job(streamtest.AllowMutation()); got != "" {
				t.Errorf("switched off it said %q", got)
			}
		})
	}
}

// Where a key function runs in the sender, the sender is named.
func TestMutationByAKeyFunction(t *testing.T) {
	got := streamtest.Failing(t, func(t testing.TB) {
		env := stream.New()
		changers["key function"].build(stream.Generate(env, "baskets", 4, aBasket))
		streamtest.Run(t, env)
	})
	if want := `operator "bad" changed, by a key or partitioning function, a record that it has emitted`; !strings.Contains(got, want) {
		t.Errorf("%q is not in %q", want, got)
	}
}

func TestMutationIsDetectedInAHarness(t *testing.T) {
	h := streamtest.NewHarness(t)
	in := streamtest.NewInput[basket](h, "baskets")
	changers["map changes a slice"].build(in.Stream())
	h.Open()
	if err := h.Try(func() { in.Push(aBasket(0)) }); err == nil || !strings.Contains(err.Error(), changers["map changes a slice"].want) {
		t.Errorf("error %v", err)
	}
}

// What authors may do is left alone: change their own copies, use again what they have emitted, reduce in place.
func TestWhatIsAllowedIsNoMutation(t *testing.T) {
	env := stream.New()
	in := stream.Generate(env, "baskets", 40, aBasket)
	again := stream.FlatMapWith(in, "again", func(*stream.Context) func(basket, func(basket)) {
		items := make([]item, 1)
		return func(b basket, emit func(basket)) {
			for _, i := range b.Items {
				items[0] = i
				emit(basket{Customer: b.Customer, Items: items}) // the memory is the function's own
			}
		}
	})
	copied := stream.Map(again, "copy", func(b basket) basket {
		b.Items = append([]item(nil), b.Items...)
		b.Items[0].N++
		return b
	})
	keyed := stream.KeyBy(copied, byCustomer)
	reduced := stream.ReduceRef(keyed, "reduce", func(acc, v *basket) { acc.Items = append(acc.Items, v.Items...) })
	sorted := stream.ProcessWindow(stream.Window(keyed, stream.CountWindow(5)), "window", func(_ *stream.WindowContext[string], vs []basket, emit func(basket)) {
		vs[0], vs[1] = vs[1], vs[0]
		emit(vs[0])
	})
	out := streamtest.Collect(stream.Union(reduced, sorted), "out")
	streamtest.Run(t, env)
	if n := out.Len(); n != 96 {
		t.Errorf("%d records, expected 80 and 16", n)
	}
}
