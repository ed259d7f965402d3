package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// patience bounds what takes a few seconds on an idle machine.
const patience = 3 * time.Minute

// Version is that of the broker.
const Version = "4.1.1"

// Ports are taken from below those that outgoing connections use.
const firstPort, lastPort = 10000, 19900

// Users of the protected listener: PLAIN knows one; a test makes those of SCRAM.
const (
	User     = "alice"
	Password = "alice's secret"
)

// Broker is a running broker. It is used by one goroutine at a time.
type Broker struct {
	// Address is host:port of the listener without protection, Secured that of the one with TLS and SASL.
	Address, Secured string
	// Authority is the file with the certificate, in PEM, by which clients know the broker.
	Authority string

	dir, java, lib string
	cmd            *exec.Cmd
	done           chan struct{}
}

// Start runs a broker until the test ends. It serves when it returns.
func Start(t testing.TB) *Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	java, lib, err := devcluster.ProgramsOf(ctx, t.Output(), "Kafka", Version,
		"org.apache.kafka:kafka_2.13:"+Version, "org.slf4j:slf4j-simple:1.7.36")
	if err != nil {
		t.Fatalf("this test needs a real Kafka: %v", err)
	}
	for try := 0; ; try++ {
		b := &Broker{dir: filepath.Join(t.TempDir(), fmt.Sprint("broker-", try)), java: java, lib: lib}
		err := b.start(ctx)
		if err == nil {
			t.Cleanup(b.kill)
			return b
		}
		// Somebody may have taken a port between our look at it and the broker's start.
		if b.kill(); try == 3 || ctx.Err() != nil {
			t.Fatalf("Kafka: %v", err)
		}
	}
}

func (b *Broker) start(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	b.Address, b.Secured = fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	if err := b.layOut(ports[2]); err != nil {
		return err
	}
	format := exec.CommandContext(ctx, b.java, b.arguments("kafka.tools.StorageTool", "format", "-t", "d2VmdC1rYWZrYS10ZXN0MA", "-c", b.conf())...)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("formatting the broker's storage: %w: %s", err, lastLines(string(out), 8))
	}
	if err := b.spawn(); err != nil {
		return err
	}
	return b.wait(ctx)
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		p := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			continue
		}
		// It stays taken until all are found, so that none is found twice.
		defer l.Close()
		if ports = append(ports, p); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports on 127.0.0.1 between %d and %d", n, firstPort, lastPort)
}

func (b *Broker) conf() string { return filepath.Join(b.dir, "server.properties") }

// arguments are those of a Java program. C1 only: a short life pays for no better code.
func (b *Broker) arguments(class string, more ...string) []string {
	return append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.net.preferIPv4Stack=true",
		"-Djava.io.tmpdir=" + b.dir, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(b.lib, "*"), class}, more...)
}

// layOut writes the broker's configuration and its key.
func (b *Broker) layOut(controller int) error {
	chain, key, err := certificate()
	if err != nil {
		return err
	}
	b.Authority = filepath.Join(b.dir, "authority.pem")
	conf := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://%[2]s,SASL_SSL://%[3]s,CONTROLLER://127.0.0.1:%[1]d
advertised.listeners=PLAINTEXT://%[2]s,SASL_SSL://%[3]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%[4]s="%[5]s";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=%[6]s
log.dirs=%[7]s
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
`, controller, b.Address, b.Secured, User, Password, filepath.Join(b.dir, "broker.pem"), filepath.Join(b.dir, "data"))
	return errors.Join(
		os.WriteFile(b.conf(), []byte(conf), 0o600),
		os.WriteFile(b.Authority, chain, 0o644),
		os.WriteFile(filepath.Join(b.dir, "broker.pem"), append(key, chain...), 0o600))
}

// logFile has what the broker prints.
func (b *Broker) logFile() string { return filepath.Join(b.dir, "broker.log") }

// spawn starts the broker's process.
func (b *Broker) spawn() error {
	out, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(b.java, b.arguments("kafka.Kafka", b.conf())...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		// The kernel's signal comes when the thread ends that has started the process: it stays for as long as the process does.
		runtime.LockOSThread()
		defer close(done)
		err := cmd.Start()
		if started <- err; err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	b.cmd, b.done = cmd, done
	return nil
}

// wait waits until the broker listens. Clients try again what it refuses in its first moments.
func (b *Broker) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case <-b.done:
			return b.failure("ended")
		default:
		}
		if c, err := net.DialTimeout("tcp", b.Secured, time.Second); err == nil {
			return c.Close()
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return b.failure("does not serve")
		}
	}
}

func (b *Broker) failure(what string) error {
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		return err
	}
	return fmt.Errorf("the broker at %s %s: %s", b.Address, what, lastLines(string(text), 8))
}

// kill ends the broker and waits for its end. One that does not run stays as it is.
func (b *Broker) kill() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill() // it may have ended
	<-b.done
	b.cmd = nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
