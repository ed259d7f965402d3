package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/security/identity"
)

// shortLife is what a ticket should at least be good for when a job is submitted.
const shortLife = time.Hour

// whoWeAre finds out as whom the cluster will see us: the name that an insecure cluster believes, the principal of a ticket or a
// key table, or the owner of tokens. A secured cluster without an identity is looked at no further.
func (e *examination) whoWeAre(ctx context.Context) bool {
	const check = "login"
	who, err := e.Who(e.hadoop)
	if err != nil {
		// The error names the principal that was looked for and the next step.
		e.notWho(err)
		return false
	}
	e.who, e.user = who, who.Effective()
	if who.Ignored != "" {
		e.warn(check, "unset it", "HADOOP_USER_NAME=%s is ignored: the cluster is secured with Kerberos", who.Ignored)
	}
	acts := ""
	if who.ProxyUser != "" {
		acts = ", who acts for " + who.ProxyUser + " (HADOOP_PROXY_USER)"
	}
	if !e.hadoop.Secure() {
		how := "the name of this machine's user"
		if e.Getenv(identity.EnvUser) == who.User {
			how = identity.EnvUser
		}
		e.ok(check, "user %s (%s)%s, which this cluster believes: it has no Kerberos (hadoop.security.authentication)", who.User, how, acts)
		return true
	}
	if who.Login == nil {
		e.warn(check, "run kinit, or set security.kerberos.login.keytab and .principal: a new session needs more than tokens",
			"user %s, by the tokens of HADOOP_TOKEN_FILE_LOCATION alone: %v", who.User, who.NoLogin)
		return true
	}
	ctx, cancel := e.asking(ctx)
	defer cancel()
	until, err := who.Login.Check(ctx)
	if err != nil {
		e.notWho(err)
		return false
	}
	left := until.Sub(e.Now()).Round(time.Minute)
	if !who.Login.FromKeytab() && left < shortLife {
		e.warn(check, "run kinit again, or set security.kerberos.login.keytab and .principal", "%s from the %s is good for another %v only", who.Login.Principal(), who.Login.Source(), left)
		return true
	}
	e.ok(check, "%s from the %s, which is user %s on the cluster%s; the ticket is good for %v", who.Login.Principal(), who.Login.Source(), who.User, acts, left)
	return true
}

// notWho says why there is no identity.
func (e *examination) notWho(err error) {
	switch {
	case errors.Is(err, krb.ErrSkew):
		e.wrong(CauseSettings, "clock", "set this machine's clock by NTP", "%v", err)
	case errors.Is(err, krb.ErrUnreachable):
		e.wrong(CauseUnreachable, "login", "", "%v", err)
	default:
		e.wrong(CauseSettings, "login", "", "%v", err)
	}
}
