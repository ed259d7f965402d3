package main

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	s, rest, err := parse("up", []string{"-dir", "d", "-nms", "3", "-conf", "yarn-site.xml:a.b=c=d", "x", "-y"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Dir != "d" || s.NodeManagers != 3 || s.Conf["yarn-site.xml"]["a.b"] != "c=d" || strings.Join(rest, " ") != "x -y" {
		t.Errorf("%+v, %v", s.Options, rest)
	}
	if s, _, err = parse("up", []string{"--protection", "integrity", "-ticket-life", "2m", "-second-realm"}); err != nil {
		t.Fatal(err)
	}
	if k := s.Kerberos; k == nil || k.Protection != "integrity" || k.TicketLife != 2*time.Minute || !k.SecondRealm {
		t.Errorf("%+v", k)
	}
	if _, _, err := parse("up", []string{"-conf", "a=b"}); err == nil || !strings.Contains(err.Error(), "FILE:KEY=VALUE") {
		t.Errorf("bad -conf: %v", err)
	}
	if _, _, err := parse("up", []string{"-nodes", "3"}); err == nil || !strings.Contains(err.Error(), "--help") {
		t.Errorf("unknown flag: %v", err)
	}
}
