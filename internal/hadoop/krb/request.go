package krb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// sessionTypes are the encryption types asked for; what is older has no protected messages here.
var sessionTypes = []int32{etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
	etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128}

// Ticket is a ticket with its session key.
type Ticket struct {
	Client, Server        Principal
	Start, End, RenewTill time.Time
	flags                 uint32
	key                   types.EncryptionKey
	raw                   messages.Ticket
	// cached tells that another program got it: it was in the ticket cache.
	cached bool
}

// renewable tells whether the ticket's life may be extended.
func (t *Ticket) renewable() bool { return t.flags&(1<<(31-flags.Renewable)) != 0 }

// used tells whether so much of the ticket's life is over that another should be fetched.
func (t *Ticket) used(now time.Time) bool {
	return t.End.Sub(now) < min(t.End.Sub(t.Start)/5, allowedSkew)
}

// usable tells whether a ticket of a cache can be shown to a service now: begun, with time left, and with a key of ours.
func (t *Ticket) usable(now time.Time) bool {
	return !t.used(now) && !t.Start.After(now.Add(allowedSkew)) && slices.Contains(sessionTypes, t.key.KeyType)
}

// aging tells of a ticket-granting ticket that it is time for the next: early enough for a KDC that is down for a while.
func (t *Ticket) aging(now time.Time) bool { return t.End.Sub(now) < t.End.Sub(t.Start)/5 }

// patience is how long after a try to replace a ticket-granting ticket the next one is made, while the old one lasts.
func (t *Ticket) patience() time.Duration { return min(t.End.Sub(t.Start)/100, 30*time.Second) }

// body makes what requests to a KDC have in common.
func (l *Login) body(client, server Principal, till, renewTill time.Time) messages.KDCReqBody {
	b := messages.KDCReqBody{KDCOptions: types.NewKrbFlags(), Realm: server.Realm, CName: client.name(), SName: server.name(),
		Till: till.UTC(), Nonce: nonce(), EType: sessionTypes}
	if l.config.Forwardable {
		types.SetFlag(&b.KDCOptions, flags.Forwardable)
	}
	if !renewTill.IsZero() {
		types.SetFlag(&b.KDCOptions, flags.Renewable)
		b.RTime = renewTill.UTC()
	}
	return b
}

// logIn gets a ticket-granting ticket with the principal's key.
func (l *Login) logIn(ctx context.Context) (*Ticket, error) {
	who := l.principal
	server := ticketGranting(who.Realm, who.Realm)
	now := l.o.Now()
	var renewTill time.Time
	if l.config.RenewLife > 0 {
		renewTill = now.Add(min(l.config.RenewLife, maxLife))
	}
	req := messages.ASReq{KDCReqFields: messages.KDCReqFields{PVNO: iana.PVNO, MsgType: msgtype.KRB_AS_REQ,
		ReqBody: l.body(who, server, now.Add(min(l.config.TicketLife, maxLife)), renewTill)}}
	req.ReqBody.EType = l.keys.types()
	if len(req.ReqBody.EType) == 0 {
		return nil, fmt.Errorf("%w %s: it has no AES key of %s: make the key table anew", ErrKeytab, l.o.Keytab, who)
	}
	reply, err := l.askAS(ctx, &req, nil)
	var refused *kdcError
	if errors.As(err, &refused) && refused.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED {
		reply, err = l.askAS(ctx, &req, refused)
	}
	if err != nil {
		return nil, l.explain(who, server, err)
	}
	key, ok := l.keys[reply.EncPart.EType]
	if !ok || !slices.Contains(req.ReqBody.EType, reply.EncPart.EType) {
		return nil, fmt.Errorf("%w %s: the KDC of %s used encryption type %d for %s, of which it has no key", ErrKeytab, l.o.Keytab, who.Realm, reply.EncPart.EType, who)
	}
	var part messages.EncKDCRepPart
	if err := decrypt(reply.EncPart, key.EncryptionKey, keyusage.AS_REP_ENCPART, part.Unmarshal); err != nil {
		return nil, fmt.Errorf("%w %s: its key of %s does not open the KDC's answer: make the key table anew (%w)", ErrKeytab, l.o.Keytab, who, err)
	}
	t, err := granted(&req.ReqBody, &reply.KDCRepFields, &part, who)
	if err != nil {
		return nil, err
	}
	if d := now.Sub(part.AuthTime); d > allowedSkew || d < -allowedSkew {
		return nil, skewSentence(d, "the KDC of "+who.Realm, who)
	}
	return t, nil
}

// askAS sends the request, with the time encrypted by the principal's key when the KDC has asked for it.
func (l *Login) askAS(ctx context.Context, req *messages.ASReq, asked *kdcError) (*messages.ASRep, error) {
	if asked != nil {
		pa, err := l.preAuthenticate(asked)
		if err != nil {
			return nil, err
		}
		req.PAData = types.PADataSequence{pa}
		req.ReqBody.Nonce = nonce()
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("request for a ticket: %w", err)
	}
	answer, err := l.ask(ctx, req.ReqBody.Realm, b)
	if err != nil {
		return nil, err
	}
	var reply messages.ASRep
	return &reply, decodeReply(req.ReqBody.Realm, answer, reply.Unmarshal)
}

// preAuthenticate proves that we know the key, of the type that the KDC prefers among those at hand that are any good: anybody can have
// written what the KDC seems to prefer, and a proof by an old type gives a password away.
func (l *Login) preAuthenticate(asked *kdcError) (types.PAData, error) {
	good := l.keys.types()
	kind := good[0]
	_ = guard(func() error { // a KDC that does not say which type it wants gets our best
		var list types.PADataSequence
		if err := list.Unmarshal(asked.EData); err != nil {
			return err
		}
		for _, pa := range list {
			if pa.PADataType != patype.PA_ETYPE_INFO2 {
				continue
			}
			infos, err := pa.GetETypeInfo2()
			if err != nil {
				return err
			}
			for _, info := range infos {
				if slices.Contains(good, info.EType) {
					kind = info.EType
					return nil
				}
			}
		}
		return nil
	})
	key := l.keys[kind]
	var pa types.PAData
	err := guard(func() error {
		b, err := marshalTime(l.o.Now())
		if err != nil {
			return err
		}
		sealed, err := crypto.GetEncryptedData(b, key.EncryptionKey, keyusage.AS_REQ_PA_ENC_TIMESTAMP, key.version)
		if err != nil {
			return err
		}
		value, err := sealed.Marshal()
		pa = types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value}
		return err
	})
	return pa, err
}

// request gets a ticket for a service with a ticket-granting one; renew extends the latter instead.
func (l *Login) request(ctx context.Context, tgt *Ticket, server Principal, renew bool) (*Ticket, error) {
	now := l.o.Now()
	till, renewTill := tgt.End, time.Time{}
	if renew {
		till, renewTill = now.Add(tgt.End.Sub(tgt.Start)), tgt.RenewTill
	}
	req := messages.TGSReq{KDCReqFields: messages.KDCReqFields{PVNO: iana.PVNO, MsgType: msgtype.KRB_TGS_REQ,
		ReqBody: l.body(tgt.Client, server, till, renewTill)}}
	if renew {
		types.SetFlag(&req.ReqBody.KDCOptions, flags.Renew)
	}
	b, err := l.tgsRequest(&req, tgt)
	if err != nil {
		return nil, fmt.Errorf("request for a ticket for %s: %w", server, err)
	}
	answer, err := l.ask(ctx, server.Realm, b)
	if err != nil {
		return nil, err
	}
	var reply messages.TGSRep
	if err := decodeReply(server.Realm, answer, reply.Unmarshal); err != nil {
		return nil, err
	}
	var part messages.EncKDCRepPart
	if err := decrypt(reply.EncPart, tgt.key, keyusage.TGS_REP_ENCPART_SESSION_KEY, part.Unmarshal); err != nil {
		return nil, fmt.Errorf("answer of the KDC of %s: %w", server.Realm, err)
	}
	return granted(&req.ReqBody, &reply.KDCRepFields, &part, tgt.Client)
}

// tgsRequest adds the proof that we hold the ticket-granting ticket.
func (l *Login) tgsRequest(req *messages.TGSReq, tgt *Ticket) (b []byte, err error) {
	err = guard(func() error {
		body, err := req.ReqBody.Marshal()
		if err != nil {
			return err
		}
		kind, err := crypto.GetEtype(tgt.key.KeyType)
		if err != nil {
			return err
		}
		sum, err := kind.GetChecksumHash(tgt.key.KeyValue, body, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM)
		if err != nil {
			return err
		}
		auth := l.authenticator(tgt.Client)
		auth.Cksum = types.Checksum{CksumType: kind.GetHashID(), Checksum: sum}
		ap, err := messages.NewAPReq(tgt.raw, tgt.key, auth)
		if err != nil {
			return err
		}
		value, err := ap.Marshal()
		if err != nil {
			return err
		}
		req.PAData = types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: value}}
		b, err = req.Marshal()
		return err
	})
	return b, err
}

// authenticator says who asks, and when.
func (l *Login) authenticator(client Principal) types.Authenticator {
	now := l.o.Now().UTC()
	return types.Authenticator{AVNO: iana.PVNO, CRealm: client.Realm, CName: client.name(),
		Cusec: now.Nanosecond() / 1000, CTime: now.Truncate(time.Second), SeqNumber: int64(rand.Uint32() >> 2)}
}

// decodeReply tells an answer from a refusal.
func decodeReply(realm string, b []byte, decode func([]byte) error) error {
	const applicationError = 0x60 | 30
	if len(b) > 0 && b[0] == applicationError {
		refused := &kdcError{realm: realm}
		if err := guard(func() error { return refused.Unmarshal(b) }); err != nil {
			return fmt.Errorf("answer of the KDC of %s: %w", realm, err)
		}
		return refused
	}
	if err := guard(func() error { return decode(b) }); err != nil {
		return fmt.Errorf("answer of the KDC of %s: %w", realm, err)
	}
	return nil
}

func decrypt(part types.EncryptedData, key types.EncryptionKey, usage uint32, decode func([]byte) error) error {
	return guard(func() error {
		b, err := crypto.DecryptEncPart(part, key, usage)
		if err != nil {
			return err
		}
		return decode(b)
	})
}

// granted checks an answer against its request and makes the ticket.
func granted(req *messages.KDCReqBody, reply *messages.KDCRepFields, part *messages.EncKDCRepPart, client Principal) (*Ticket, error) {
	t := &Ticket{Client: principalOf(reply.CName, reply.CRealm), Server: principalOf(part.SName, part.SRealm),
		Start: part.StartTime, End: part.EndTime, RenewTill: part.RenewTill, key: part.Key, raw: reply.Ticket}
	if t.Start.IsZero() {
		t.Start = part.AuthTime
	}
	for i, b := range part.Flags.Bytes {
		if i < 4 {
			t.flags |= uint32(b) << (24 - 8*i)
		}
	}
	switch {
	case part.Nonce != req.Nonce:
		return nil, fmt.Errorf("answer of the KDC of %s: it belongs to another request", req.Realm)
	case !t.Client.Equal(client):
		return nil, fmt.Errorf("answer of the KDC of %s: a ticket of %s, expected one of %s", req.Realm, t.Client, client)
	case !t.Server.Equal(principalOf(reply.Ticket.SName, reply.Ticket.Realm)):
		return nil, fmt.Errorf("answer of the KDC of %s: the ticket is for %s", req.Realm, principalOf(reply.Ticket.SName, reply.Ticket.Realm))
	}
	return t, nil
}
