package krb

import (
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// recordedToken is a Negotiate token made with the tickets of the recorded cache, at its time.
func recordedToken(t testing.TB) []byte {
	t.Helper()
	c, err := parseCache(sample(t, "owner.cache"))
	if err != nil {
		t.Fatal(err)
	}
	l := &Login{config: &Config{realms: map[string]string{}}, principal: c.client, turn: make(chan struct{}, 1), tgt: &c.tickets[0],
		o:        Options{Now: func() time.Time { return c.tickets[1].Start }},
		services: map[string]*Ticket{"HTTP/web@WEFT.TEST": &c.tickets[1]}}
	header, err := l.Authorization(t.Context(), "Web")
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, Negotiate+" "))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForeignTicket: a ticket for another service proves nothing here.
func TestForeignTicket(t *testing.T) {
	a := &Acceptor{table: keytab.New(), seen: map[string]map[[sha256.Size]byte]time.Time{}}
	_, err := a.Accept(recordedToken(t))
	if err == nil || !strings.Contains(err.Error(), "a ticket for nn/localhost@WEFT.TEST") {
		t.Error(err)
	}
	// Kerberos without SPNEGO around it is taken as well.
	_, inner, err := takeGSS(recordedToken(t))
	if err != nil || len(inner) == 0 {
		t.Fatal(err)
	}
}

// A request is taken once, and nobody makes us remember more of them than a bound; what is over is forgotten.
func TestRequestsRemembered(t *testing.T) {
	a := &Acceptor{seen: map[string]map[[sha256.Size]byte]time.Time{}, swept: time.Now()}
	ann, bob := Principal{Components: []string{"ann"}, Realm: "R"}, Principal{Components: []string{"bob"}, Realm: "R"}
	at := func(usec int) *types.Authenticator { return &types.Authenticator{CTime: time.Unix(1, 0), Cusec: usec} }
	for i := range maxSeen {
		if err := a.first(ann, at(i)); err != nil {
			t.Fatal(err)
		}
	}
	for text, usec := range map[string]int{"came before": 7, "wait for some minutes": maxSeen} {
		if err := a.first(ann, at(usec)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, expected %q", err, text)
		}
	}
	if err := a.first(bob, at(7)); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	a.sweep(time.Now().Add(3 * allowedSkew))
	if len(a.seen) > 0 {
		t.Errorf("%d are remembered for ever", len(a.seen))
	}
	if err := a.first(ann, at(0)); err != nil {
		t.Errorf("after their time: %v", err)
	}
}

// A refusal that asks for a proof by an old encryption type can be anybody's: the proof is made by a good one all the same.
func TestProofByGoodTypeOnly(t *testing.T) {
	type entry struct {
		EType int32 `asn1:"explicit,tag:0"`
	}
	type data struct {
		Type  int32  `asn1:"explicit,tag:1"`
		Value []byte `asn1:"explicit,tag:2"`
	}
	info, err := asn1.Marshal([]entry{{etypeID.RC4_HMAC}})
	if err != nil {
		t.Fatal(err)
	}
	wish, err := asn1.Marshal([]data{{patype.PA_ETYPE_INFO2, info}})
	if err != nil {
		t.Fatal(err)
	}
	keys := keyring{}
	for _, kind := range []int32{etypeID.RC4_HMAC, etypeID.AES128_CTS_HMAC_SHA1_96} {
		key, _, err := crypto.GetKeyFromPassword("x", types.NewPrincipalName(1, "ann"), "R", kind, nil)
		if err != nil {
			t.Fatal(err)
		}
		keys[kind] = keyEntry{key, 1}
	}
	l := &Login{o: Options{Now: time.Now}, keys: keys}
	pa, err := l.preAuthenticate(&kdcError{"R", messages.KRBError{ErrorCode: errorcode.KDC_ERR_PREAUTH_REQUIRED, EData: wish}})
	if err != nil {
		t.Fatal(err)
	}
	var sealed types.EncryptedData
	if err := sealed.Unmarshal(pa.PADataValue); err != nil || sealed.EType != etypeID.AES128_CTS_HMAC_SHA1_96 {
		t.Errorf("a proof by encryption type %d, %v", sealed.EType, err)
	}
}

// A ticket cache of somebody else does not say who we are; root may use everybody's.
func TestWhoseCache(t *testing.T) {
	for _, c := range []struct {
		owner, me int
		want      bool
	}{{1000, 1000, true}, {0, 1000, true}, {1001, 1000, false}, {1001, 0, true}} {
		if got := trusted(c.owner, c.me); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add(recordedToken(f))
	a := &Acceptor{table: keytab.New(), seen: map[string]map[[sha256.Size]byte]time.Time{}}
	f.Fuzz(func(t *testing.T, token []byte) {
		if who, err := a.Accept(token); err == nil {
			t.Errorf("accepted: %v", who)
		}
	})
}
