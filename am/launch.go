package am

import (
	"maps"
	"strconv"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
)

// taskManagerLaunch makes what runs in a TaskManager's container. jobManager is host:port of the control plane. Secrets are in
// localised files, never in the command or the environment.
func taskManagerLaunch(m *spec.Manifest, c *config.Config, sizes spec.Sizes, jobManager string, credentials *token.Credentials) (func(yarnrpc.Container) yarnrpc.Launch, error) {
	files := m.LocalResources()
	manifest, err := m.Encode()
	if err != nil {
		return nil, err
	}
	env := map[string]string{spec.EnvUser: m.User, spec.EnvManifest: manifest}
	for _, prefix := range []string{"yarn.taskmanager.env.", "containerized.taskmanager.env."} {
		maps.Copy(env, c.WithPrefix(prefix))
	}
	command := "exec ./" + spec.Binary + " taskmanager --log-dir <LOG_DIR> --jobmanager " + jobManager +
		" --slots " + strconv.Itoa(sizes.Slots) + " --memory " + strconv.Itoa(sizes.TaskManagerMB) + " --vcores " + strconv.Itoa(sizes.TaskManagerVCores) +
		" 1><LOG_DIR>/taskmanager.out 2><LOG_DIR>/taskmanager.err"
	// The AMRM token is the ApplicationMaster's alone.
	own := credentials.Without(token.KindAMRM)
	return func(yarnrpc.Container) yarnrpc.Launch {
		return yarnrpc.Launch{Files: files, Environment: env, Commands: []string{command}, Credentials: own,
			ViewACL: config.Get(c, config.ViewACLs), ModifyACL: config.Get(c, config.ModifyACLs)}
	}, nil
}
