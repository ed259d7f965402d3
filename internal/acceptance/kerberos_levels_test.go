//go:build realhadoop

package acceptance

import (
	"strings"
	"testing"

	"github.com/weft-project/weft/internal/devcluster"
)

// agreedLevels are the lower levels of protection, as doctor and logs name them.
var agreedLevels = map[string]struct{ said, logged string }{
	devcluster.ProtectionAuthentication: {"protection auth (authentication only)", "auth"},
	devcluster.ProtectionIntegrity:      {"protection auth-int (integrity)", "auth-int"},
}

// lowerProtection is a word count at each of the lower levels: the configuration of the client and of the containers has one level
// only, which the servers take, and nothing else is agreed on. A DataNode that answered with another level would be refused.
func lowerProtection(t *testing.T, c *devcluster.Cluster) {
	u := newSecured(t, c, devcluster.Owner)
	u.kinit()
	in := text(300, 1)
	input := u.put("lower.txt", in)
	for level, agreed := range agreedLevels {
		restore := u.withConf(">privacy<", ">"+level+"<")
		conf := u.env[len(u.env)-1]
		if looked := u.ok("weft", "doctor"); strings.Count(looked.stdout, agreed.said) != 2 {
			t.Errorf("%q is not there for each server: %s", agreed.said, looked)
		}
		r := u.ok("weft", "run", "-m", "yarn-cluster", "-yjm", "512", "-ytm", "1024", "-D", "containerized.master.env."+conf, "-D", "containerized.taskmanager.env."+conf,
			"-D", "env.log.level=DEBUG", u.example("wordcount"), "-input", input, "-output", u.out("counts-"+level))
		u.same("counts", u.lines(u.out("counts-"+level)), count(in))
		restore()
		u.agreed(applicationID.FindString(r.stderr+r.stdout), agreed.logged)
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
