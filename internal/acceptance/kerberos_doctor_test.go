//go:build realhadoop

package acceptance

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

// On a secured cluster doctor says whom the cluster sees and what was agreed on, and finds what keeps others out.
func doctorSecured(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	u.fails(2, []string{"problem  login", "no kerberos ticket of owner@WEFT.TEST", "run kinit"}, "weft", "doctor")
	key := u.with(krb.EnvKeytab + "=" + c.Keytab(devcluster.Owner))
	key.ok("weft", "doctor")
	u.kinit()
	r := u.ok("weft", "doctor")
	for _, text := range []string{"owner@WEFT.TEST from the ticket cache", "user owner on the cluster", "KERBEROS GSSAPI, protection auth-conf (privacy)", "TOKEN DIGEST-MD5",
		"user owner may submit to default", "the NameNode has user owner in: weavers, staff", "/user/owner exists"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("%q is not in %s", text, r)
		}
	}
	if n := strings.Count(r.stdout, "(privacy)"); n != 2 || strings.Contains(r.stdout, "warning") {
		t.Errorf("%d servers with privacy, expected 2: %s", n, r)
	}
	restore := u.withConf(">kerberos<", ">simple<")
	u.fails(2, []string{"problem  ResourceManager", "KERBEROS GSSAPI only", "hadoop.security.authentication"}, "weft", "doctor")
	restore()
}
