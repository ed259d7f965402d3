//go:build realhadoop

package acceptance

import (
	"cmp"
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
	"github.com/weft-project/weft/security/identity"
)

// agreedLevels are the lower levels of protection, as doctor and logs name them, each with whose ticket a job comes by, and for whom
// that one acts.
var agreedLevels = map[string]struct{ said, logged, ticket, actsFor string }{
	devcluster.ProtectionAuthentication: {"protection auth (authentication only)", "auth", devcluster.Guest, ""},
	devcluster.ProtectionIntegrity:      {"protection auth-int (integrity)", "auth-int", devcluster.Gateway, devcluster.Other},
}

// lowerProtection is a word count at each of the lower levels: the configuration of the client and of the containers has one level
// only, which the servers take, and nothing else is agreed on. A DataNode that answered with another level would be refused.
// Meanwhile they are jobs of a user of another realm, and of one for whom another acts.
func lowerProtection(t *testing.T, c *devcluster.Cluster) {
	in := text(300, 1)
	for level, agreed := range agreedLevels {
		u := newSecured(t, c, agreed.ticket)
		u.kinit()
		runsAs := cmp.Or(agreed.actsFor, agreed.ticket)
		if u.hdfs = "/user/" + runsAs; agreed.actsFor != "" {
			u.env = append(u.env, identity.EnvProxyUser+"="+agreed.actsFor)
		}
		input := u.put("lower.txt", in)
		restore := u.withConf(">privacy<", ">"+level+"<")
		conf := u.env[len(u.env)-1]
		if looked := u.ok("weft", "doctor"); strings.Count(looked.stdout, agreed.said) != 2 {
			t.Errorf("%q is not there for each server: %s", agreed.said, looked)
		}
		r := u.ok("weft", "run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", "-D", "containerized.master.env."+conf, "-D", "containerized.taskmanager.env."+conf,
			"-D", "env.log.level=DEBUG", u.example("wordcount"), "-input", input, "-output", u.out("counts-"+level))
		u.same("counts", u.lines(u.out("counts-"+level)), count(in))
		restore()
		app := applicationID.FindString(r.stderr + r.stdout)
		u.agreed(app, agreed.logged)
		if a, err := c.App(t.Context(), app); err != nil || a.User != runsAs {
			t.Errorf("%s is an application of %q, %v, expected %s", app, a.User, err, runsAs)
		}
		if !audited(t, c, "cmd=open", "src="+u.hdfs+"/lower.txt", "(auth:TOKEN)") {
			t.Errorf("the job of %s has read nothing by token", runsAs)
		}
	}
}

// agreed checks what an application's processes have agreed on with each server.
func (u *secured) agreed(app, level string) {
	t := u.t
	t.Helper()
	lines := map[string]int{}
	u.until("the logs are there", func() bool {
		clear(lines)
		logs, err := u.c.ContainerLogs(app)
		if err != nil {
			return false
		}
		for _, text := range logs {
			for l := range strings.Lines(text) {
				if _, protocol, ok := strings.Cut(l, "hadoop rpc connection open"); ok {
					_, protocol, _ = strings.Cut(protocol, "protocol=")
					protocol, _, _ = strings.Cut(protocol, " ")
					lines[protocol]++
					if !strings.Contains(l, " qop="+level+" ") {
						t.Errorf("%s: expected %s: %s", app, level, l)
					}
				}
			}
		}
		return lines["ApplicationMasterProtocol"] > 0 && lines["ContainerManagementProtocol"] > 0 && lines["ClientProtocol"] > 1
	})
}
