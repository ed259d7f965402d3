package standalone

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/config"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
)

// On a secured cluster the JobManager needs a log-in and says what is missing; a TaskManager does without, as whom the configuration names.
func TestLoginOnSecuredHDFS(t *testing.T) {
	dir := t.TempDir()
	krb5 := filepath.Join(dir, "krb5.conf")
	if err := os.WriteFile(krb5, []byte("[libdefaults]\n default_realm = WEFT.TEST\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{krb.EnvConfig: krb5, krb.EnvCache: filepath.Join(dir, "none"), "HADOOP_USER_NAME": "ada"}
	o := &Options{Config: config.New(), Getenv: func(k string) string { return env[k] }, Log: slog.New(slog.DiscardHandler)}
	conf := hadoopconf.New(nil)
	for name, login := range map[string]func() (string, error){
		"JobManager":  func() (string, error) { who, err := o.logIn(t.Context(), conf); return effective(who, err) },
		"TaskManager": func() (string, error) { who, err := o.logInWorker(t.Context(), conf); return effective(who, err) },
	} {
		if user, err := login(); err != nil || user != "ada" {
			t.Errorf("%s without Kerberos: %q, %v", name, user, err)
		}
	}
	conf.Set("hadoop.security.authentication", "kerberos")
	o.Config.Set(config.File, config.KerberosPrincipal.Key, "ann@WEFT.TEST", "")
	if _, err := o.logIn(t.Context(), conf); !errors.Is(err, krb.ErrNoTicket) || !strings.Contains(err.Error(), "run kinit ann@WEFT.TEST") {
		t.Errorf("JobManager without a ticket: %v", err)
	}
	for what, keytab := range map[string]string{"no ticket": "", "no key table on this machine": filepath.Join(dir, "keys")} {
		o.Config.Set(config.File, config.KerberosKeytab.Key, keytab, "")
		if user, err := effective(o.logInWorker(t.Context(), conf)); err != nil || user != "ann" {
			t.Errorf("TaskManager, %s: %q, %v", what, user, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "keys"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Config.Set(config.File, config.KerberosKeytab.Key, filepath.Join(dir, "keys"), "")
	if _, err := o.logInWorker(t.Context(), conf); !errors.Is(err, krb.ErrKeytab) {
		t.Errorf("TaskManager, a key table that is none: %v", err)
	}
}

func effective(who interface{ Effective() string }, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return who.Effective(), nil
}
