package frame

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-project/weft/id"
)

var attemptA = id.Attempt{Job: id.Job{1, 2}, Vertex: id.Vertex{3}, Subtask: 4, Number: 5}
var attemptB = id.Attempt{Job: id.Job{1, 2}, Vertex: id.Vertex{9}, Subtask: 7, Number: 0}

// The bytes of docs/formats/network.md: a change here is a change of the protocol and needs a new Version.
func TestHeaderGolden(t *testing.T) {
	var b [HeaderSize]byte
	h := Header{Type: Data, Flags: FlagFragment | FlagLast, Backlog: 3, Channel: 0x01020304, Length: 0x1000, Count: 250}
	h.Put(b[:])
	if got := hex.EncodeToString(b[:]); got != "01030503"+"01020304"+"00001000"+"000000fa" {
		t.Fatal(got)
	}
	back, err := ParseHeader(b[:], 32<<10)
	if err != nil || back != h {
		t.Fatalf("%+v, %v", back, err)
	}
}

func TestHeaderRefused(t *testing.T) {
	valid := Header{Type: Data, Length: 100}
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		says   string
	}{
		"short":          {func(b []byte) []byte { return b[:15] }, "15 bytes"},
		"version":        {func(b []byte) []byte { b[0] = 2; return b }, "version 2"},
		"type 0":         {func(b []byte) []byte { b[1] = 0; return b }, "unknown type"},
		"type 11":        {func(b []byte) []byte { b[1] = 11; return b }, "unknown type"},
		"too long":       {func(b []byte) []byte { b[9] = 1; return b }, "the limit is 32768"},
		"first and last": {func(b []byte) []byte { b[2] = 7; return b }, "flags"},
		"credit payload": {func(b []byte) []byte { b[1] = byte(Credit); return b }, "the limit is 0"},
	} {
		b := make([]byte, HeaderSize)
		valid.Put(b)
		if _, err := ParseHeader(c.change(b), 32<<10); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
}

func TestPayloadsRoundTrip(t *testing.T) {
	hello := Hello{BufferSize: 32768, Job: id.Job{7}, JobAttempt: 3, Addr: "worker-1:4000"}
	if got, err := ParseHello(hello.Append(nil)); err != nil || got != hello {
		t.Errorf("hello: %+v, %v", got, err)
	}
	request := ChannelRequest{Producer: attemptA, Edge: 8, Subpartition: 9, Consumer: attemptB, Credit: 2}
	if got, err := ParseChannelRequest(request.Append(nil)); err != nil || got != request {
		t.Errorf("request: %+v, %v", got, err)
	}
	failure := Failure{Code: FailedStale, Text: "replaced"}
	if got, err := ParseFailure(failure.Append(nil)); err != nil || got != failure {
		t.Errorf("failure: %+v, %v", got, err)
	}
	call := ServiceCall{Service: "splits", From: attemptA, Payload: []byte("next")}
	if got, err := ParseServiceCall(call.Append(nil)); err != nil || !reflect.DeepEqual(got, call) {
		t.Errorf("call: %+v, %v", got, err)
	}
	if w, p, err := ParseEvent(AppendEvent(nil, -5, []byte("b"))); err != nil || w != -5 || string(p) != "b" {
		t.Errorf("event: %d %q %v", w, p, err)
	}
	long := Failure{Code: 1, Text: strings.Repeat("x", MaxControl*2)}
	if n := len(long.Append(nil)); n != MaxControl {
		t.Errorf("a long failure has %d bytes", n)
	}
}

func FuzzDecoders(f *testing.F) {
	var h [HeaderSize]byte
	Header{Type: Data, Length: 10, Count: 1}.Put(h[:])
	f.Add(h[:])
	f.Add(Hello{BufferSize: 1, Addr: "a:1"}.Append(nil))
	f.Add(ChannelRequest{Producer: attemptA, Consumer: attemptB}.Append(nil))
	f.Add(Failure{Code: 1, Text: "x"}.Append(nil))
	f.Add(ServiceCall{Service: "s", Payload: []byte("p")}.Append(nil))
	f.Add(AppendEvent(nil, 1, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, again []byte) {
			if !bytes.Equal(again, b) {
				t.Fatalf("%s: read %x, written %x", what, b, again)
			}
		}
		if h, err := ParseHeader(b, 32<<10); err == nil {
			var again [HeaderSize]byte
			h.Put(again[:])
			if !bytes.Equal(again[:], b[:HeaderSize]) || h.Length > MaxMessage {
				t.Fatalf("header: read %x, written %x", b, again)
			}
		}
		if v, err := ParseHello(b); err == nil {
			same("hello", v.Append(nil))
		}
		if v, err := ParseChannelRequest(b); err == nil {
			same("request", v.Append(nil))
		}
		if v, err := ParseFailure(b); err == nil && len(b) <= MaxControl {
			same("failure", v.Append(nil))
		}
		if v, err := ParseServiceCall(b); err == nil {
			same("call", v.Append(nil))
		}
		if w, p, err := ParseEvent(b); err == nil {
			same("event", AppendEvent(nil, w, p))
		}
	})
}
