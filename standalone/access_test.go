package standalone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/security/identity"
)

// Without YARN callers may show tickets, too: who runs the process may do all, who is listed what the lists say.
func TestTicketsWithoutYARN(t *testing.T) {
	dir := t.TempDir()
	k := keytab.New()
	if err := k.AddEntry("HTTP/node1", "WEFT.TEST", "x", time.Unix(1, 0), 1, 18); err != nil {
		t.Fatal(err)
	}
	keys, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"web.keytab": keys, "krb5.conf": []byte("[libdefaults]\ndefault_realm = WEFT.TEST\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := &Options{Config: config.New(), Getenv: func(string) string { return "" }}
	set := func(key, value string) { o.Config.Set(config.CommandLine, key, value, "-D") }
	look := func() (callers, error) { return o.access(hadoopconf.New(nil), &fs.Registry{}, "node1") }
	if c, err := look(); err != nil || c.rights != nil || c.identifier != nil {
		t.Errorf("with tokens alone: %+v, %v", c, err)
	}
	set(config.RESTAuth.Key, config.RESTAuthKerberos)
	if _, err := look(); err == nil || !strings.Contains(err.Error(), config.RESTKeytab.Key) {
		t.Errorf("without a key table: %v", err)
	}
	set(config.RESTKeytab.Key, filepath.Join(dir, "web.keytab"))
	set(config.RESTPrincipal.Key, "HTTP/_HOST@WEFT.TEST")
	set(config.Krb5ConfPath.Key, filepath.Join(dir, "krb5.conf"))
	set(config.ViewACLs.Key, "ada staff")
	c, err := look()
	if err != nil || c.identifier == nil {
		t.Fatal(c, err)
	}
	for user, want := range map[string]rest.Rights{identity.ProcessUser(o.Getenv): {View: true, Modify: true}, "ada": {View: true}, "other": {}} {
		if got, err := c.rights.Rights(t.Context(), user); err != nil || got != want {
			t.Errorf("%s: %+v, %v", user, got, err)
		}
	}
}
