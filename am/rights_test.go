package am

import (
	"testing"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
)

// YARN gets the lists with each container, and decides by them what it shows of the application and who may end it.
func TestContainersCarryTheLists(t *testing.T) {
	c := config.New()
	c.Set(config.CommandLine, config.ViewACLs.Key, "ada staff", "-D")
	c.Set(config.CommandLine, config.ModifyACLs.Key, " ops", "-D")
	m := &spec.Manifest{Application: "application_1_0001", User: "u", Base: "hdfs://h:1/user/u/.weft"}
	launch, err := taskManagerLaunch(m, c, spec.Sizes{TaskManagerMB: 1024, TaskManagerVCores: 1, Slots: 1}, "h:1", func() *token.Credentials { return nil })
	if err != nil {
		t.Fatal(err)
	}
	// Who may modify may view.
	if l := launch(yarnrpc.Container{}); l.ViewACL != "ada staff,ops" || l.ModifyACL != " ops" {
		t.Errorf("view %q, modify %q", l.ViewACL, l.ModifyACL)
	}
}
