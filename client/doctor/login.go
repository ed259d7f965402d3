package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/weft-project/weft/internal/hadoop/krb"
)

// shortLife is what a ticket should at least be good for when a job is submitted.
const shortLife = time.Hour

// whoWeAre finds out as whom the cluster will see us: the name that an insecure cluster believes, or the principal of a ticket
// or a key table. A secured cluster without an identity is looked at no further.
func (e *examination) whoWeAre(ctx context.Context) bool {
	const check = "login"
	if !e.hadoop.Secure() {
		e.user = e.User(e.hadoop)
		how := "the name of this machine's user"
		if e.Getenv("HADOOP_USER_NAME") == e.user {
			how = "HADOOP_USER_NAME"
		}
		e.ok(check, "user %s (%s), which this cluster believes: it has no Kerberos (hadoop.security.authentication)", e.user, how)
		return true
	}
	if name := e.Getenv("HADOOP_USER_NAME"); name != "" {
		e.warn(check, "unset it", "HADOOP_USER_NAME=%s is ignored: the cluster is secured with Kerberos", name)
	}
	get := func(key string) string {
		v, _ := e.Config.Raw(key)
		return v
	}
	o, err := krb.FromSettings(get, e.Getenv)
	if err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return false
	}
	o.Log, o.Now = e.Log, e.Now
	login, err := krb.Open(o)
	if err != nil {
		// The error names the principal that was looked for and the next step.
		e.wrong(CauseSettings, check, "", "%v", err)
		return false
	}
	ctx, cancel := e.asking(ctx)
	defer cancel()
	until, err := login.Check(ctx)
	switch {
	case errors.Is(err, krb.ErrSkew):
		e.wrong(CauseSettings, "clock", "set this machine's clock by NTP", "%v", err)
		return false
	case errors.Is(err, krb.ErrUnreachable):
		e.wrong(CauseUnreachable, check, "", "%v", err)
		return false
	case err != nil:
		e.wrong(CauseSettings, check, "", "%v", err)
		return false
	}
	e.login = login
	if e.user, err = login.User(e.hadoop.Get); err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
		return false
	}
	left := until.Sub(e.Now()).Round(time.Minute)
	if !login.FromKeytab() && left < shortLife {
		e.warn(check, "run kinit again, or set security.kerberos.login.keytab and .principal", "%s from the %s is good for another %v only", login.Principal(), login.Source(), left)
		return true
	}
	e.ok(check, "%s from the %s, which is %s on the cluster; the ticket is good for %v", login.Principal(), login.Source(), e.user, left)
	return true
}
