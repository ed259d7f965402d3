package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/weft-project/weft/client/doctor"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

// keyTable is a file with the keys of some principals.
func keyTable(t *testing.T, principals ...string) string {
	t.Helper()
	k := keytab.New()
	for _, p := range principals {
		if err := k.AddEntry(p, "WEFT.TEST", "x", time.Unix(1, 0), 1, 18); err != nil {
			t.Fatal(err)
		}
	}
	b, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "keys", b)
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Where callers of REST may show tickets the key table is looked at, on clusters without Kerberos, too.
func TestKeyTableForREST(t *testing.T) {
	look := func(keys string) (string, *clinic) {
		c := newClinic(t)
		c.env[krb.EnvConfig] = file(t, "krb5.conf", []byte("[libdefaults]\ndefault_realm = WEFT.TEST\n"))
		if keys != "token" {
			c.options.Config.Set(config.CommandLine, config.RESTAuth.Key, config.RESTAuthKerberos, "-D")
			c.options.Config.Set(config.CommandLine, config.RESTKeytab.Key, keys, "-D")
		}
		// Only the key table is looked at here.
		c.set("yarn.resourcemanager.address", "127.0.0.1:1")
		_, lines := c.run()
		return lines, c
	}
	for _, w := range []struct {
		keys   string
		status doctor.Status
		texts  []string
	}{
		{"", doctor.Problem, []string{"REST tickets", "no key table is named", config.RESTKeytab.Key}},
		{filepath.Join(t.TempDir(), "none"), doctor.Problem, []string{"REST tickets", "no such file"}},
		{file(t, "keys", []byte("nonsense")), doctor.Problem, []string{"REST tickets", "not a key table"}},
		{keyTable(t, "owner", "nn/node1"), doctor.Problem, []string{"REST tickets", "no key of a principal HTTP/host"}},
		{keyTable(t, "HTTP/Node1", "HTTP/node2"), doctor.OK, []string{"REST tickets", "HTTP/host for node1, node2"}},
	} {
		lines, c := look(w.keys)
		c.finds(lines, w.status, w.texts...)
	}
	if lines, _ := look("token"); strings.Contains(lines, "REST tickets") {
		t.Errorf("without tickets a key table is missed:\n%s", lines)
	}
}
