package kafka

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Option says how topics are read or written.
type Option func(*settings)

// settings are what the options of a source or a sink say.
type settings struct {
	brokers    []string
	properties map[string]string
	err        error

	// Of a source.
	topics      []string
	pattern     string
	group       string
	start       Position
	stop        *Position
	discover    time.Duration
	commit      bool          // when a checkpoint is complete
	autoCommit  time.Duration // 0 for never
	reset       string        // auto.offset.reset
	committed   bool          // isolation.level
	pollRecords int

	// Of a sink.
	to         string
	prefix     string        // of transactional ids; "" for at-least-once
	timeout    time.Duration // of transactions
	delivery   time.Duration // of a record
	acks       kgo.Acks
	idempotent bool

	common, consumer, producer []kgo.Opt
	security                   security
}

// Property sets a property of Kafka's clients by its name there.
func Property(name, value string) Option {
	return func(s *settings) { s.properties[name] = value }
}

// Properties sets several.
func Properties(p map[string]string) Option {
	return func(s *settings) { maps.Copy(s.properties, p) }
}

// PropertiesFile reads properties from a file of name=value lines, each where it is needed: passwords then travel in a file that is
// shipped, and not with the job.
func PropertiesFile(path string) Option {
	return func(s *settings) {
		f, err := os.Open(path)
		if err != nil {
			s.fail("the file of Kafka's properties: %w: ship it with the job, or correct its name", err)
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			if line == "" || line[0] == '#' || line[0] == '!' {
				continue
			}
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				s.fail("the file of Kafka's properties %s: a line is no name=value", path) // it may be a password
				return
			}
			s.properties[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		if err := lines.Err(); err != nil {
			s.fail("the file of Kafka's properties %s: %w", path, err)
		}
	}
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// settingsOf gathers options. What is wrong is in err.
func settingsOf(brokers string, opts []Option) *settings {
	s := &settings{properties: map[string]string{}, commit: true, discover: defaultDiscover, autoCommit: 0, start: Earliest, pollRecords: defaultPoll,
		timeout: defaultTimeout, delivery: defaultDelivery, acks: kgo.AllISRAcks(), idempotent: true}
	for _, o := range opts {
		o(s)
	}
	if brokers != "" {
		s.properties["bootstrap.servers"] = brokers
	}
	for _, name := range slices.Sorted(maps.Keys(s.properties)) {
		set, ok := known[name]
		if !ok {
			s.fail("property %q is not one that is understood here: see docs/kafka.md for those that are", name)
			continue
		}
		if err := set(s, s.properties[name]); err != nil {
			value := fmt.Sprintf(" = %q", s.properties[name])
			if secret(name) {
				value = ""
			}
			s.fail("property %s%s: %w", name, value, err)
		}
	}
	if len(s.brokers) == 0 {
		s.fail("no Kafka brokers are given: expected host:port, separated by commas")
	}
	if s.properties["enable.auto.commit"] == "true" && s.autoCommit == 0 {
		s.autoCommit = 5 * time.Second
	}
	if s.properties["enable.auto.commit"] != "true" {
		s.autoCommit = 0
	}
	opts2, err := s.security.options()
	if err != nil {
		s.fail("%w", err)
	}
	s.common = append(s.common, opts2...)
	return s
}

// secret tells whether a property's value is not to be shown.
func secret(name string) bool {
	return strings.Contains(name, "password") || strings.Contains(name, "jaas") || strings.HasPrefix(name, "ssl.keystore.key")
}

// Kafka's and Flink's defaults.
const (
	defaultDiscover = 5 * time.Minute
	defaultPoll     = 5000
	defaultTimeout  = 15 * time.Minute // Flink's hour is more than brokers allow by themselves
	defaultDelivery = 2 * time.Minute
)

type setter func(s *settings, value string) error

// known are the properties that are understood.
var known = map[string]setter{
	"bootstrap.servers": func(s *settings, v string) error {
		for b := range strings.SplitSeq(v, ",") {
			if b = strings.TrimSpace(b); b != "" {
				s.brokers = append(s.brokers, b)
			}
		}
		s.common = append(s.common, kgo.SeedBrokers(s.brokers...))
		return nil
	},
	"client.id":   of(text, func(s *settings, v string) { s.common = append(s.common, kgo.ClientID(v)) }),
	"client.rack": of(text, func(s *settings, v string) { s.consumer = append(s.consumer, kgo.Rack(v)) }),
	"group.id":    of(text, func(s *settings, v string) { s.group = v }),
	"metadata.max.age.ms": of(millis, func(s *settings, v time.Duration) {
		s.common = append(s.common, kgo.MetadataMaxAge(v), kgo.MetadataMinAge(min(v, 2500*time.Millisecond)))
	}),
	"connections.max.idle.ms":            of(millis, func(s *settings, v time.Duration) { s.common = append(s.common, kgo.ConnIdleTimeout(v)) }),
	"socket.connection.setup.timeout.ms": of(millis, func(s *settings, v time.Duration) { s.common = append(s.common, kgo.DialTimeout(v)) }),

	"partition.discovery.interval.ms": func(s *settings, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		s.discover = time.Duration(n) * time.Millisecond // 0 and less: never
		return wrong(err, "a number of milliseconds")
	},
	"commit.offsets.on.checkpoint": of(truth, func(s *settings, v bool) { s.commit = v }),
	"enable.auto.commit":           of(truth, func(*settings, bool) {}),
	"auto.commit.interval.ms":      of(millis, func(s *settings, v time.Duration) { s.autoCommit = v }),
	"auto.offset.reset":            of(among("earliest", "latest", "none"), func(s *settings, v string) { s.reset = v }),
	"isolation.level": of(among("read_committed", "read_uncommitted"), func(s *settings, v string) {
		if s.committed = v == "read_committed"; s.committed {
			s.consumer = append(s.consumer, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		}
	}),
	"fetch.min.bytes":           of(count, func(s *settings, v int32) { s.consumer = append(s.consumer, kgo.FetchMinBytes(v)) }),
	"fetch.max.bytes":           of(count, func(s *settings, v int32) { s.consumer = append(s.consumer, kgo.FetchMaxBytes(v)) }),
	"fetch.max.wait.ms":         of(millis, func(s *settings, v time.Duration) { s.consumer = append(s.consumer, kgo.FetchMaxWait(v)) }),
	"max.partition.fetch.bytes": of(count, func(s *settings, v int32) { s.consumer = append(s.consumer, kgo.FetchMaxPartitionBytes(v)) }),
	"max.poll.records":          of(count, func(s *settings, v int32) { s.pollRecords = int(v) }),

	"acks": of(among("all", "-1", "1", "0"), func(s *settings, v string) {
		switch v {
		case "1":
			s.acks = kgo.LeaderAck()
		case "0":
			s.acks = kgo.NoAck()
		}
	}),
	"enable.idempotence": of(truth, func(s *settings, v bool) { s.idempotent = v }),
	"compression.type": of(among("none", "gzip", "snappy", "lz4", "zstd"), func(s *settings, v string) {
		codec := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
			"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[v]
		s.producer = append(s.producer, kgo.ProducerBatchCompression(codec))
	}),
	"linger.ms":              of(millis, func(s *settings, v time.Duration) { s.producer = append(s.producer, kgo.ProducerLinger(v)) }),
	"max.request.size":       of(count, func(s *settings, v int32) { s.producer = append(s.producer, kgo.ProducerBatchMaxBytes(v)) }),
	"buffer.memory":          of(count, func(s *settings, v int32) { s.producer = append(s.producer, kgo.MaxBufferedBytes(int(v))) }),
	"delivery.timeout.ms":    of(millis, func(s *settings, v time.Duration) { s.delivery = v }),
	"transaction.timeout.ms": of(millis, func(s *settings, v time.Duration) { s.timeout = v }),

	"security.protocol": of(among("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), func(s *settings, v string) { s.security.protocol = v }),
	"sasl.mechanism": of(among("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), func(s *settings, v string) {
		s.security.mechanism = v
	}),
	"sasl.jaas.config":                      of(text, func(s *settings, v string) { s.security.jaas = v }),
	"ssl.truststore.location":               of(text, func(s *settings, v string) { s.security.trustFile = v }),
	"ssl.truststore.certificates":           of(text, func(s *settings, v string) { s.security.trust = v }),
	"ssl.truststore.type":                   of(pemOnly, func(*settings, string) {}),
	"ssl.keystore.location":                 of(text, func(s *settings, v string) { s.security.keyFile = v }),
	"ssl.keystore.key":                      of(text, func(s *settings, v string) { s.security.key = v }),
	"ssl.keystore.certificate.chain":        of(text, func(s *settings, v string) { s.security.chain = v }),
	"ssl.keystore.type":                     of(pemOnly, func(*settings, string) {}),
	"ssl.endpoint.identification.algorithm": func(s *settings, v string) error { s.security.anyHost = v == ""; return nil },
}

// of makes a setter of a parser and what takes its result.
func of[V any](parse func(string) (V, error), set func(*settings, V)) setter {
	return func(s *settings, value string) error {
		v, err := parse(value)
		if err == nil {
			set(s, v)
		}
		return err
	}
}

func wrong(err error, expected string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("expected %s", expected)
}

func text(v string) (string, error) {
	if v == "" {
		return "", fmt.Errorf("it is empty: expected a value")
	}
	return v, nil
}

func truth(v string) (bool, error) {
	if v != "true" && v != "false" {
		return false, fmt.Errorf("expected true or false")
	}
	return v == "true", nil
}

func count(v string) (int32, error) {
	n, err := strconv.ParseInt(v, 10, 32)
	if err == nil && n <= 0 {
		err = strconv.ErrRange
	}
	return int32(n), wrong(err, "a whole number of at least 1")
}

func millis(v string) (time.Duration, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err == nil && n < 0 {
		err = strconv.ErrRange
	}
	return time.Duration(n) * time.Millisecond, wrong(err, "a number of milliseconds")
}

func among(values ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		if !slices.Contains(values, v) {
			return "", fmt.Errorf("expected one of %s", strings.Join(values, ", "))
		}
		return v, nil
	}
}

func pemOnly(v string) (string, error) {
	if v != "PEM" {
		return "", fmt.Errorf("key stores of Java cannot be read: expected PEM; openssl pkcs12 and keytool -exportcert -rfc make one of a store")
	}
	return v, nil
}
