package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// kerberosFlags are the flags of secured clusters; each of them makes the cluster one.
func kerberosFlags(fs *flag.FlagSet, s *settings) {
	on := func(set func(k *devcluster.Kerberos, on bool)) func(string) error {
		return func(text string) error {
			v, err := strconv.ParseBool(text)
			if err == nil && v {
				set(s.secured(), v)
			}
			return err
		}
	}
	fs.BoolFunc("kerberos", "", on(func(*devcluster.Kerberos, bool) {}))
	fs.BoolFunc("second-realm", "", on(func(k *devcluster.Kerberos, v bool) { k.SecondRealm = v }))
	fs.Func("protection", "", func(text string) error {
		s.secured().Protection = text
		return nil
	})
	for name, field := range map[string]func(k *devcluster.Kerberos) *time.Duration{
		"ticket-life":  func(k *devcluster.Kerberos) *time.Duration { return &k.TicketLife },
		"ticket-renew": func(k *devcluster.Kerberos) *time.Duration { return &k.TicketRenew },
		"token-life":   func(k *devcluster.Kerberos) *time.Duration { return &k.TokenLife },
		"token-renew":  func(k *devcluster.Kerberos) *time.Duration { return &k.TokenRenew },
	} {
		fs.Func(name, "", func(text string) (err error) {
			*field(s.secured()), err = time.ParseDuration(text)
			return err
		})
	}
}

// kinit makes a ticket cache and prints how to use it.
func kinit(ctx context.Context, c *devcluster.Cluster, args []string) error {
	if c.Kerberos() == nil {
		return fmt.Errorf("kinit: the cluster in %s is not secured (up --kerberos)", c.Dir())
	}
	cache := "FILE:" + filepath.Join(c.Dir(), args[0]+".cache")
	if len(args) > 1 {
		cache = args[1]
	}
	if err := c.Login(ctx, args[0], cache); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s; key table %s\n", c.Principal(args[0]), c.Keytab(args[0]))
	fmt.Printf("export KRB5CCNAME='%s'\n", cache)
	return nil
}
