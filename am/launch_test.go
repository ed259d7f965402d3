package am

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/token"
	"github.com/weft-project/weft/yarnrpc"
)

func TestLaunchHoldsNoSecret(t *testing.T) {
	creds := &token.Credentials{}
	creds.Add("am", token.Token{Kind: token.KindAMRM, Identifier: []byte("planted-id"), Password: []byte("planted-password")})
	m := &spec.Manifest{Application: "application_1_0001", User: "u", Base: "hdfs://h:1/user/u/.weft", Files: map[string]spec.File{spec.Secret: {URL: "hdfs://h:1/secret"}}}
	c := config.New()
	c.Set(config.File, "security.some.password", "planted-config", "")
	c.Set(config.File, "containerized.taskmanager.env.TZ", "UTC", "")
	launch, err := taskManagerLaunch(m, c, spec.Sizes{TaskManagerMB: 1024, TaskManagerVCores: 1, Slots: 2}, "h:1", func() *token.Credentials { return creds })
	if err != nil {
		t.Fatal(err)
	}
	l := launch(yarnrpc.Container{})
	text := fmt.Sprint(l.Commands, l.Environment, l.Files)
	if strings.Contains(text, "planted") || l.Environment["TZ"] != "UTC" {
		t.Errorf("launch: %s", text)
	}
	if l.Credentials.Len() != 0 {
		t.Error("the AMRM token was handed on")
	}
	if !strings.Contains(text, "exec ./weft taskmanager --log-dir <LOG_DIR> --jobmanager h:1 --slots 2 --memory 1024 --vcores 1 1><LOG_DIR>/taskmanager.out") {
		t.Errorf("command: %v", l.Commands)
	}
}

func TestProxyHosts(t *testing.T) {
	conf := hadoopconf.New(nil)
	conf.Set("yarn.resourcemanager.hostname", "rm")
	if got := proxyHosts(conf); len(got) != 1 || got[0] != "rm:8088" {
		t.Errorf("got %v", got)
	}
	conf.Set("yarn.web-proxy.address", "proxy:1")
	if got := proxyHosts(conf); len(got) != 1 || got[0] != "proxy:1" {
		t.Errorf("got %v", got)
	}
}
