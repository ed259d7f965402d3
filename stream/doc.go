// Package stream is vocabulary: the job SDK. It is all that an author imports besides connectors.
//
//	env := stream.New()
//	lines := stream.ReadText(env, "lines", "hdfs:///in")
//	words := stream.FlatMap(lines, "split", func(line string, emit func(string)) {
//		for _, w := range strings.Fields(line) {
//			emit(w)
//		}
//	})
//	counts := stream.Count(stream.KeyBy(words, func(w string) string { return w }), "count")
//	stream.WriteText(counts, "out", "hdfs:///out", func(c stream.Counted[string]) string {
//		return fmt.Sprint(c.Key, " ", c.N)
//	})
//	result, err := env.Execute(ctx, "word count")
//
// A job is an ordinary program. Started by hand it runs in its own process; started by weft it hands its graph over; on
// the cluster it is started again, with the same arguments, to build the same graph (rules W1–W6 in docs/design.md). So
// main must do the same each time: what it takes from the clock, a database or a local file goes through Captured, what it
// changes in the world through Once.
//
// Transformations are functions, because Go's methods take no type parameters. Each takes a name, which is part of the
// operator's identity. Functions given to them run in several goroutines and processes, one instance each where the …With
// form makes them; what a plain function shares with others it must protect itself.
//
// Event time: AssignTimestamps, then Window and its functions, KeyedProcess with state and timers, and the joins.
//
// A value handed to a function is the function's to read; who keeps it beyond the call, or changes what it points to, copies it
// first. Mistakes in the graph (a type that can not be encoded, a UID used twice) are returned by Execute with the
// author's file and line.
package stream
