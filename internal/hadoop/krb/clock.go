package krb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/messages"

	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
)

// errNoTime is the answer of a KDC that gives a ticket to whoever asks: it does not tell its time.
var errNoTime = errors.New("the KDC does not tell its time")

// KDCAhead asks a KDC of our realm for its time and tells by how much it is ahead of this machine's. Nothing is proved for that: a
// request without a proof is refused, and refusals bear the time.
func (l *Login) KDCAhead(ctx context.Context) (time.Duration, error) {
	who := l.principal
	req := messages.ASReq{KDCReqFields: messages.KDCReqFields{PVNO: iana.PVNO, MsgType: msgtype.KRB_AS_REQ,
		ReqBody: l.body(who, ticketGranting(who.Realm, who.Realm), l.o.Now().Add(time.Hour), time.Time{})}}
	sent := l.o.Now()
	_, err := l.askAS(ctx, &req, nil)
	var refused *kdcError
	switch {
	case errors.As(err, &refused) && !refused.STime.IsZero():
		return refused.time().Sub(sent.Add(l.o.Now().Sub(sent) / 2)), nil
	case err != nil:
		return 0, err
	}
	return 0, errNoTime
}

// time is that of the KDC's clock.
func (e *kdcError) time() time.Time { return e.STime.Add(time.Duration(e.Susec) * time.Microsecond) }

// initiation is a GSSAPI exchange that knows with whom, so that it can say what a refusal means.
type initiation struct {
	*sasl.GSSAPI
	login  *Login
	ticket *Ticket
}

// refusal marks what a Java server says of every ticket that it does not take, whatever the reason: its log has more.
const refusal = "GSS initiate failed"

// Explain makes the sentence for a server that does not take our ticket: rpc calls it. Hadoop's servers do not tell why, nor what
// time it is for them; that our own clock is right is told by the KDC.
func (i *initiation) Explain(ctx context.Context, err error) error {
	l, who, server := i.login, i.ticket.Client, i.ticket.Server
	var refused messages.KRBError
	if errors.As(err, &refused) && refused.ErrorCode == errorcode.KRB_AP_ERR_SKEW {
		return skewSentence(l.o.Now().Sub(refused.STime), server.String(), who)
	}
	var remote *rpc.RemoteError
	if !errors.As(err, &remote) || !strings.Contains(remote.Message, refusal) {
		return err
	}
	ahead, unknown := l.KDCAhead(ctx)
	if unknown == nil && ahead.Abs() > allowedSkew {
		return skewSentence(-ahead, "the KDC of "+who.Realm, who)
	}
	clock := "it is not known whether this machine's clock is right (" + fmt.Sprint(unknown) + ")"
	if unknown == nil {
		clock = fmt.Sprintf("this machine's clock is right (%.1f minutes from the KDC's)", ahead.Abs().Minutes())
	}
	fresh := ""
	if i.ticket.cached {
		fresh = fmt.Sprintf(", or the ticket in the %s is one for an older key: run kinit %s", l.Source(), who)
	}
	return fmt.Errorf("%w: %s does not take the ticket of %s (%s); %s: that server's clock may differ by more than %.0f minutes, or its key table be "+
		"older than its key at the KDC%s; its log tells", ErrNotTaken, server, who, remote.Message, clock, allowedSkew.Minutes(), fresh)
}

// skewSentence says by how many minutes our clock is ahead of another.
func skewSentence(ahead time.Duration, whose string, who Principal) error {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fmt.Errorf("%w: this machine's clock is %.1f minutes %s that of %s, at most %.0f are allowed for %s: set the clock (NTP)",
		ErrSkew, ahead.Abs().Minutes(), side, whose, allowedSkew.Minutes(), who)
}
