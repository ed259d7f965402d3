package operator

import (
	"errors"
	"strings"
	"testing"

	"github.com/weft-project/weft/codec"
	"github.com/weft-project/weft/network"
	"github.com/weft-project/weft/rpc/planpb"
)

// unreadable cannot read what it writes.
type unreadable struct{ N int64 }

// AppendWeft is codec.Coder's.
func (*unreadable) AppendWeft(dst []byte) []byte { return append(dst, 1) }

// DecodeWeft is codec.Coder's.
func (*unreadable) DecodeWeft([]byte) error { return errors.New("no such version") }

// What comes over a connection is another's failure where it is damaged, but the author's where the author's codec does not read it.
func TestReaderTellsDamageFromCodec(t *testing.T) {
	c, err := codec.Of[unreadable]()
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]planpb.FailureDomain{"\x01\x01": planpb.FailureDomain_USER, "\x05\x01": planpb.FailureDomain_EXTERNAL} {
		var now int64
		r, err := (&typeOf[unreadable]{codec: c}).NewReader(Emit[unreadable](func(*unreadable) {}), &now, false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Process(network.Item{Data: []byte(data), Records: 1})
		if DomainOf(err) != want {
			t.Errorf("bytes %q: failure of domain %v, expected %v: %v", data, DomainOf(err), want, err)
		}
		var returned *Returned
		if author := errors.As(err, &returned); author != (want == planpb.FailureDomain_USER) || author && !strings.Contains(returned.Stack(), "DecodeWeft") {
			t.Errorf("bytes %q: %v does not name the method", data, err)
		}
	}
}
