package am

import (
	"maps"
	"strconv"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/rest/access"
	"github.com/weft-project/weft/yarnrpc"
)

// taskManagerLaunch makes what runs in a TaskManager's container. jobManager is host:port of the control plane. Secrets are in
// localised files, never in the command or the environment. credentials gives the newest tokens.
func taskManagerLaunch(m *spec.Manifest, c *config.Config, sizes spec.Sizes, jobManager string, credentials func() *token.Credentials) (func(yarnrpc.Container) yarnrpc.Launch, error) {
	files := m.LocalResources()
	manifest, err := m.Encode()
	if err != nil {
		return nil, err
	}
	view, modify, err := access.ForYARN(c)
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
	return func(yarnrpc.Container) yarnrpc.Launch {
		return yarnrpc.Launch{Files: files, Environment: env, Commands: []string{command}, Credentials: forTaskManagers(credentials()),
			ViewACL: view, ModifyACL: modify}
	}, nil
}

// forTaskManagers leaves out what is the ApplicationMaster's alone: nobody else there speaks to the ResourceManager.
func forTaskManagers(c *token.Credentials) *token.Credentials {
	if c == nil {
		return nil
	}
	return c.Without(token.KindAMRM, token.KindRMDelegation)
}
