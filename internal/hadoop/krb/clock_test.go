package krb

import (
	"context"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
)

// What real servers answered at 21:34:29 to one whose clock was ten minutes ahead: MIT's KDC to a request for a ticket (code 37) and
// to one without a proof (code 25, with its time), a NameNode of Hadoop 3.4.2 to NEGOTIATE and to our ticket.
const (
	kdcSkew = "7e8185308182a003020105a10302011ea411180f32303236313132313231333432395aa50502030eb181a603020125a70b1b09574546542e54455354a8123010a0" +
		"03020101a10930071b056f776e6572a90b1b09574546542e54455354aa1a3018a003020102a111300f1b02726d1b096c6f63616c686f7374ab0d1b0b50524f434553535f544753"
	kdcTime = "7e81de3081dba003020105a10302011ea411180f32303236313132313231333432395aa50502030eb182a603020119a70b1b09574546542e54455354a8123010a003020101a1" +
		"0930071b056f776e6572a90b1b09574546542e54455354aa1e301ca003020102a11530131b066b72627467741b09574546542e54455354ab101b0e4e45454445445f50524541" +
		"555448ac50044e304c300aa10402020088a20204003024a103020113a21d041b30193017a003020112a1101b0e574546542e544553546f776e65723009a103020102a20204003" +
		"00da10402020085a20504034d4954"
	nameNodeOffers = "000000ef0e08dfffffff0f100018093a004001de01100122b6010a05544f4b454e120a4449474553542d4d44351a00220764656661756c742a95017265616c6d3d226465" +
		"6661756c74222c6e6f6e63653d225a6474514e316a69794d717653556c51794533434b325170764a6d77736c6e503374597575383458222c716f703d22617574682d636f6e66" +
		"222c636861727365743d7574662d382c6369706865723d22336465732c7263342c6465732c7263342d35362c7263342d3430222c616c676f726974686d3d6d64352d736573" +
		"7322210a084b45524245524f5312064753534150491a026e6e22096c6f63616c686f7374"
	nameNodeRefuses = "000000494808dfffffff0f1002180922216a617661782e73656375726974792e7361736c2e5361736c457863657074696f6e2a1347535320696e697469617465206661" +
		"696c6564300f3a004001"
)

// recordedAt is when these were recorded, by the right clock.
var recordedAt = time.Date(2026, 11, 21, 21, 34, 29, 0, time.UTC)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// answering is a server that answers what is sent to it, message by message, with recorded ones; the prefix is before each.
func answering(t *testing.T, length bool, answers ...[]byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64<<10)
			for _, a := range answers {
				if _, err := nc.Read(buf); err != nil {
					break
				}
				if length {
					a = append(binary.BigEndian.AppendUint32(nil, uint32(len(a))), a...)
				}
				if _, err := nc.Write(a); err != nil {
					break
				}
			}
			_ = nc.Close()
		}
	}()
	return l.Addr().String()
}

// cachedLogin is a login of a cache that has a ticket for the NameNode, too; its clock is ahead.
func cachedLogin(t *testing.T, kdc string, ahead time.Duration) *Login {
	t.Helper()
	cache, err := filepath.Abs(filepath.Join("testdata", "services.cache"))
	if err != nil {
		t.Fatal(err)
	}
	conf := write(t, filepath.Join(t.TempDir(), "krb5.conf"), "[libdefaults]\ndefault_realm = WEFT.TEST\n[realms]\nWEFT.TEST = {\n kdc = "+kdc+"\n}\n")
	l, err := Open(Options{Now: func() time.Time { return recordedAt.Add(ahead) },
		Getenv: func(k string) string { return map[string]string{EnvConfig: conf, EnvCache: cache}[k] }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// deadEnd is an address where nobody listens.
func deadEnd(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A KDC's refusal for the clock names the difference.
func TestSkewOfKDC(t *testing.T) {
	for ahead, want := range map[time.Duration]string{10 * time.Minute: "10.0 minutes ahead of that of the KDC of WEFT.TEST", -10 * time.Minute: "10.0 minutes behind that of the KDC"} {
		l := cachedLogin(t, answering(t, true, unhex(t, kdcSkew)), ahead)
		service, err := ParsePrincipal("rm/localhost@WEFT.TEST", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Ticket(t.Context(), service)
		if !errors.Is(err, ErrSkew) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "set the clock (NTP)") {
			t.Errorf("%v: %v", ahead, err)
		}
	}
}

// A ticket that is in the cache already does without a KDC; for another service the KDC is missed.
func TestTicketsOfTheCache(t *testing.T) {
	l := cachedLogin(t, deadEnd(t), time.Hour)
	for name, want := range map[string]error{"nn/localhost@WEFT.TEST": nil, "rm/localhost@WEFT.TEST": ErrUnreachable} {
		service, err := ParsePrincipal(name, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Ticket(t.Context(), service); !errors.Is(err, want) || errors.Is(err, rpc.ErrConnect) {
			t.Errorf("%s: %v, expected %v", name, err, want)
		}
	}
	// With the ticket-granting one it ends.
	l.o.Now = func() time.Time { return recordedAt.Add(11 * time.Hour) }
	service, err := ParsePrincipal("nn/localhost@WEFT.TEST", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Ticket(t.Context(), service); !errors.Is(err, ErrExpired) {
		t.Errorf("after its end: %v", err)
	}
}

// What a NameNode's refusal means is told by the KDC's clock, where there is one.
func TestServerRefuses(t *testing.T) {
	for _, c := range []struct {
		kdc   string
		ahead time.Duration
		kind  error
		words []string
	}{
		{answering(t, true, unhex(t, kdcTime)), 10 * time.Minute, ErrSkew, []string{"10.0 minutes ahead of that of the KDC of WEFT.TEST", "owner@WEFT.TEST", "NTP"}},
		{answering(t, true, unhex(t, kdcTime)), time.Minute, ErrNotTaken, []string{"nn/localhost@WEFT.TEST does not take the ticket of owner@WEFT.TEST", "this machine's clock is right (1.0 minutes", "kinit"}},
		{deadEnd(t), time.Minute, ErrNotTaken, []string{"not known whether this machine's clock is right", "no KDC answers"}},
	} {
		l := cachedLogin(t, c.kdc, c.ahead)
		address := answering(t, false, unhex(t, nameNodeOffers), unhex(t, nameNodeRefuses))
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		security := &rpc.Security{RefuseSimple: true, Protection: []sasl.QOP{sasl.AuthConf},
			Kerberos: l.Mechanism(Service{Key: "dfs.namenode.kerberos.principal", Principal: "nn/localhost@WEFT.TEST"})}
		_, err = rpc.Open(t.Context(), nc, address, "org.apache.hadoop.hdfs.protocol.ClientProtocol", security)
		if !errors.Is(err, c.kind) || !errors.Is(err, rpc.ErrHandshake) {
			t.Errorf("%v ahead: %v, expected %v", c.ahead, err, c.kind)
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q lacks %q", err, w)
			}
		}
	}
}

// A server of the C library says why, and what time it is there.
func TestServerTellsSkew(t *testing.T) {
	inner := append([]byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 3, 0}, unhex(t, kdcSkew)...)
	answer, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassApplication, Tag: 0, IsCompound: true, Bytes: inner})
	if err != nil {
		t.Fatal(err)
	}
	l := cachedLogin(t, deadEnd(t), 10*time.Minute)
	service, err := ParsePrincipal("nn/localhost@WEFT.TEST", "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Initiate(t.Context(), service, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Start(nil); err != nil {
		t.Fatal(err)
	}
	_, err = m.Step(answer)
	err = m.(*initiation).Explain(t.Context(), err)
	if !errors.Is(err, ErrSkew) || !strings.Contains(err.Error(), "10.0 minutes ahead of that of nn/localhost@WEFT.TEST") {
		t.Error(err)
	}
	// What is no refusal stays as it is.
	if err := m.(*initiation).Explain(t.Context(), io.EOF); err != io.EOF {
		t.Error(err)
	}
}

// The next KDC is asked when one does not answer, and silent ones use up seconds only, however many there are.
func TestSeveralKDCs(t *testing.T) {
	l := cachedLogin(t, deadEnd(t)+"\n kdc = "+answering(t, true, unhex(t, kdcTime)), time.Minute)
	if ahead, err := l.KDCAhead(t.Context()); err != nil || (ahead+time.Minute).Abs() > time.Second {
		t.Errorf("%v, %v", ahead, err)
	}
	for n, want := range map[int]time.Duration{1: kdcTimeout, 2: kdcTimeout, 4: 3 * time.Second, 12: time.Second, 100: time.Second} {
		if got := share(n); got != want {
			t.Errorf("%d KDCs: %v each, expected %v", n, got, want)
		}
	}
}

// Who gets no ticket is not kept waiting as for a server that is down.
func TestNoTicketNoWait(t *testing.T) {
	l := cachedLogin(t, deadEnd(t), time.Minute)
	client := rpc.NewClient(rpc.Options{})
	defer client.Close()
	waited := 0
	p := client.Proxy(rpc.Target{Addresses: []string{answering(t, false, unhex(t, nameNodeOffers))}, Protocol: rpc.Protocol{Name: "org.example.Echo", Version: 1},
		Security: &rpc.Security{RefuseSimple: true, Kerberos: func(ctx context.Context, _ string, _ rpc.Offer) (sasl.Mechanism, error) {
			return l.Initiate(ctx, Principal{Components: []string{"rm", "localhost"}, Realm: "WEFT.TEST"}, nil)
		}},
		Retry: rpc.Retry{MaxWait: time.Hour, Interval: time.Hour, MaxInterval: time.Hour, OnRetry: func(error, time.Duration) { waited++ }}})
	err := p.Call(t.Context(), "echo", &commonpb.UserInformation{}, &commonpb.UserInformation{})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "for owner@WEFT.TEST (127.0.0.1:") || waited > 0 {
		t.Errorf("waited %d times, %v", waited, err)
	}
}
