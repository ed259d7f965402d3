// Command kafka-wordcount is an example: it counts the words of a Kafka topic's records and writes the counts to another topic, each new
// count of a word as a record whose key is the word; exactly once where checkpoints are taken.
//
//	weft run -D execution.checkpointing.interval=10s ./examples/kafka-wordcount -brokers host:9092 -from lines -to counts
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/weft-project/weft/connector/kafka"
	"github.com/weft-project/weft/stream"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "Kafka brokers, separated by commas")
	from := flag.String("from", "lines", "topic to read")
	to := flag.String("to", "", "topic to write; without it counts are printed")
	group := flag.String("group", "kafka-wordcount", "consumer group that shows how far was read")
	properties := flag.String("properties", "", "file of Kafka's properties, for passwords; ship it with the job")
	bounded := flag.Bool("bounded", false, "end where the topic ends now")
	exactly := flag.String("exactly-once", "", "prefix of the ids of transactions; without it counts are written at least once")
	flag.Parse()

	var options []kafka.Option
	if *properties != "" {
		options = append(options, kafka.PropertiesFile(*properties))
	}
	source := append(options[:len(options):len(options)], kafka.Topics(*from), kafka.Group(*group), kafka.From(kafka.CommittedOr(kafka.Earliest)))
	if *bounded {
		source = append(source, kafka.Until(kafka.Latest))
	}
	env := stream.New()
	lines := stream.FromSource(env, "read", kafka.Source(*brokers, kafka.Text(), source...), stream.UID("read"))
	words := stream.FlatMap(lines, "split", func(line string, emit func(string)) {
		for _, w := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return !unicode.IsLetter(r) }) {
			emit(w)
		}
	})
	counts := stream.Count(stream.KeyBy(words, func(w string) string { return w }), "count", stream.UID("count"))
	if *to == "" {
		stream.Print(counts, "print")
	} else {
		sink := append(options[:len(options):len(options)], kafka.ToTopic(*to))
		if *exactly != "" {
			sink = append(sink, kafka.ExactlyOnce(*exactly))
		}
		encode := func(c *stream.Counted[string], r *kafka.Record) error {
			r.Key, r.Value = []byte(c.Key), fmt.Append(nil, c.N)
			return nil
		}
		stream.ToSink(counts, "write", kafka.Sink(*brokers, encode, sink...), stream.UID("write"))
	}
	if _, err := env.Execute(context.Background(), "Kafka WordCount"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
