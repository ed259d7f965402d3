package krb

import (
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
)

// Kinds of failures. Test with errors.Is; the errors themselves name the principal and the next step.
var (
	// ErrConfig marks a krb5.conf, a name or a setting that is missing or wrong.
	ErrConfig = errors.New("kerberos configuration")
	// ErrNoTicket marks that there is no ticket cache, or none with a ticket that helps.
	ErrNoTicket = errors.New("no kerberos ticket")
	// ErrExpired marks a ticket whose time is over and that can not be renewed.
	ErrExpired = errors.New("kerberos ticket expired")
	// ErrKeytab marks a key table without the principal's key, or with one that the KDC does not take.
	ErrKeytab = errors.New("key table")
	// ErrSkew marks that clocks differ too much.
	ErrSkew = errors.New("clock skew")
	// ErrUnreachable marks that no KDC answered. It is no rpc.ErrConnect: who waits for a server does not wait for a KDC, too.
	ErrUnreachable = errors.New("no KDC answers")
	// ErrRefused marks any other refusal of the KDC.
	ErrRefused = errors.New("refused by the KDC")
	// ErrNotTaken marks that a server does not take our ticket.
	ErrNotTaken = errors.New("ticket refused by the server")
	// ErrServer marks a server that is not the one that was expected, or whose name is not configured.
	ErrServer = errors.New("wrong server principal")
)

// allowedSkew is what KDCs and services tolerate.
const allowedSkew = 5 * time.Minute

// maxLife bounds the life of tickets, so that sums of times do not overflow.
const maxLife = 100 * 365 * 24 * time.Hour

// kdcError is a KDC's refusal.
type kdcError struct {
	realm string
	messages.KRBError
}

// Error gives the KDC's own words.
func (e *kdcError) Error() string {
	text := fmt.Sprintf("the KDC of %s answers: %s", e.realm, errorcode.Lookup(e.ErrorCode))
	if e.EText != "" {
		text += " (" + e.EText + ")"
	}
	return text
}

// guard turns a panic of the decoder of foreign bytes into an error: gokrb5 does not check all lengths.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed kerberos message: %v", r)
		}
	}()
	return f()
}

// explain makes the sentence for a refused request of who for service.
func (l *Login) explain(who, service Principal, err error) error {
	var refused *kdcError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.ErrorCode {
	case errorcode.KRB_AP_ERR_SKEW:
		return skewSentence(l.o.Now().Sub(refused.time()), "the KDC of "+refused.realm, who)
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return fmt.Errorf("%w: the KDC of %s does not know %s: check the principal's spelling and realm (%w)", ErrRefused, refused.realm, who, err)
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		if l.keys != nil {
			return fmt.Errorf("%w %s: its key of %s is not the one that the KDC of %s has, which was changed since: make the key table anew (%w)",
				ErrKeytab, l.o.Keytab, who, refused.realm, err)
		}
	case errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN:
		return fmt.Errorf("%w: the KDC of %s knows no service %s, to which %s wants to go: check the server's principal in the Hadoop configuration (%w)",
			ErrRefused, refused.realm, service, who, err)
	case errorcode.KRB_AP_ERR_TKT_EXPIRED, errorcode.KDC_ERR_NEVER_VALID:
		return fmt.Errorf("%w: that of %s, says the KDC of %s: run kinit %s", ErrExpired, who, refused.realm, who)
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		return fmt.Errorf("%w: the KDC of %s has no AES key of %s or %s: give them one (%w)", ErrRefused, refused.realm, who, service, err)
	}
	return fmt.Errorf("%w: %s for %s: %w", ErrRefused, who, service, err)
}
