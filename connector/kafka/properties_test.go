package kafka_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/connector/kafka"
)

func TestWhatIsWrongWithOptions(t *testing.T) {
	topic := kafka.Topics("t")
	secrets := filepath.Join(t.TempDir(), "kafka.properties")
	if err := os.WriteFile(secrets, []byte("# a comment\nsecurity.protocol = SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=x username=\"u\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, opts := range map[string][]kafka.Option{
		"expected either Topics or Pattern":              {},
		"pattern \"(\" of topics":                        {kafka.Pattern("(")},
		`property "fetch.mn.bytes" is not one`:           {topic, kafka.Property("fetch.mn.bytes", "1")},
		`property fetch.min.bytes = "x": expected a`:     {topic, kafka.Property("fetch.min.bytes", "x")},
		"expected one of read_committed":                 {topic, kafka.Property("isolation.level", "committed")},
		"without a consumer group":                       {topic, kafka.From(kafka.Committed)},
		"CommittedOr: expected Earliest or Latest":       {topic, kafka.Group("g"), kafka.From(kafka.CommittedOr(kafka.Offsets(nil)))},
		"key stores of Java cannot be read":              {topic, kafka.Property("ssl.truststore.type", "JKS")},
		"sasl.jaas.config has no username and password":  {topic, kafka.PropertiesFile(secrets)},
		"ssl.truststore.location: open /nowhere":         {topic, kafka.Property("security.protocol", "SSL"), kafka.Property("ssl.truststore.location", "/nowhere")},
		"the file of Kafka's properties: open /nowhere":  {topic, kafka.PropertiesFile("/nowhere")},
		"expected SASL_SSL or SASL_PLAINTEXT":            {topic, kafka.Property("sasl.mechanism", "PLAIN")},
		"sasl.mechanism is \"\": expected PLAIN, SCRAM-": {topic, kafka.Property("security.protocol", "SASL_SSL")},
	} {
		if err := kafka.Source("localhost:9092", kafka.Text(), opts...).Invalid; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %s", err, want)
		}
	}
	if err := kafka.Source("", kafka.Text(), topic).Invalid; err == nil || !strings.Contains(err.Error(), "no Kafka brokers are given") {
		t.Errorf("error %v", err)
	}
	if err := kafka.Source("localhost:9092", kafka.Text(), topic, kafka.Property("group.id", "g"), kafka.From(kafka.CommittedOr(kafka.Latest))).Invalid; err != nil {
		t.Error(err)
	}
}

// Each topic's partitions are spread evenly.
func TestOwner(t *testing.T) {
	owner := kafka.Source("localhost:9092", kafka.Text(), kafka.Topics("t")).Owner
	for _, topic := range []string{"t", "orders"} {
		seen := map[int]int{}
		for p := range int32(12) {
			seen[owner(kafka.Split{Topic: topic, Partition: p}, 5)]++
		}
		for subtask := range 5 {
			if seen[subtask] < 2 || seen[subtask] > 3 {
				t.Errorf("topic %s: subtask %d reads %d of 12 partitions, expected 2 or 3", topic, subtask, seen[subtask])
			}
		}
	}
}
