package token

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
)

// Delegation is what the identifier of a delegation token says.
type Delegation struct {
	// Owner is who the token stands for; RealUser, when not empty, who acted for the owner when it was issued.
	Owner, Renewer, RealUser string
	// Issued is when it was made. It is of no use after Max, however often it is renewed.
	Issued, Max time.Time
	Sequence    int64
}

// Delegation reads the identifier of an HDFS or ResourceManager delegation token. The end of its current life is not in it:
// only renewing tells.
func (t Token) Delegation() (Delegation, error) {
	switch t.Kind {
	case KindHDFSDelegation:
		return readDelegation(t.Identifier)
	case KindRMDelegation:
		var id yarnpb.YARNDelegationTokenIdentifier
		if err := proto.Unmarshal(t.Identifier, &id); err != nil {
			return Delegation{}, fmt.Errorf("identifier of a %s: %w", t, err)
		}
		return Delegation{Owner: id.GetOwner(), Renewer: id.GetRenewer(), RealUser: id.GetRealUser(),
			Issued: time.UnixMilli(id.GetIssueDate()), Max: time.UnixMilli(id.GetMaxDate()), Sequence: int64(id.GetSequenceNumber())}, nil
	}
	return Delegation{}, fmt.Errorf("%s: expected a delegation token (%s or %s)", t, KindHDFSDelegation, KindRMDelegation)
}

// readDelegation reads the Writable form: version 0, three texts, four numbers.
func readDelegation(b []byte) (Delegation, error) {
	if len(b) == 0 || b[0] != 0 {
		return Delegation{}, fmt.Errorf("identifier of a delegation token: %d bytes, expected version 0 in front", len(b))
	}
	r := &reader{b: b[1:]}
	d := Delegation{Owner: r.text(), Renewer: r.text(), RealUser: r.text()}
	d.Issued, d.Max = time.UnixMilli(r.vint()), time.UnixMilli(r.vint())
	d.Sequence = r.vint()
	r.vint() // the key that signs it
	if r.err != nil {
		return Delegation{}, fmt.Errorf("identifier of a delegation token: %w", r.err)
	}
	return d, nil
}
