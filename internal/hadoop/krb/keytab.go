package krb

import (
	"encoding/asn1"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// keyring holds a principal's newest key of each encryption type.
type keyring map[int32]keyEntry

type keyEntry struct {
	types.EncryptionKey
	version int
}

// types lists the encryption types of the keys that can be used, the preferred first.
func (k keyring) types() []int32 {
	var out []int32
	for _, t := range sessionTypes {
		if _, ok := k[t]; ok {
			out = append(out, t)
		}
	}
	return out
}

// readKeytab reads a key table and gives the keys of one principal; when it is the zero name, of the first in the file.
func readKeytab(path, principal, defaultRealm string) (Principal, keyring, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Principal{}, nil, fmt.Errorf("%w %s of %s: %w: check security.kerberos.login.keytab", ErrKeytab, path, nameOr(principal), err)
	}
	return parseKeytab(b, path, principal, defaultRealm)
}

func nameOr(principal string) string {
	if principal == "" {
		return "the principal that it holds"
	}
	return principal
}

func parseKeytab(b []byte, path, principal, defaultRealm string) (who Principal, keys keyring, err error) {
	if principal != "" {
		if who, err = ParsePrincipal(principal, defaultRealm); err != nil {
			return who, nil, err
		}
	}
	table := keytab.New()
	if err := guard(func() error { return table.Unmarshal(b) }); err != nil {
		return who, nil, fmt.Errorf("%w %s of %s: not a key table of Kerberos: %w", ErrKeytab, path, nameOr(principal), err)
	}
	keys, others := keyring{}, map[string]bool{}
	for _, e := range table.Entries {
		name := Principal{Components: e.Principal.Components, Realm: e.Principal.Realm}
		if !name.named() {
			continue
		}
		if who.Realm == "" {
			who = name
		}
		if !name.Equal(who) {
			others[name.String()] = true
			continue
		}
		if old, ok := keys[e.Key.KeyType]; !ok || int(e.KVNO) >= old.version {
			keys[e.Key.KeyType] = keyEntry{e.Key, int(e.KVNO)}
		}
	}
	if len(keys) == 0 {
		holds := "it is empty"
		if len(others) > 0 {
			list := slices.Sorted(maps.Keys(others))
			holds = "it has those of " + strings.Join(list[:min(len(list), 3)], ", ")
		}
		return who, nil, fmt.Errorf("%w %s: it has no key of %s, %s: check security.kerberos.login.keytab and security.kerberos.login.principal",
			ErrKeytab, path, nameOr(principal), holds)
	}
	return who, keys, nil
}

// stamp is PA-ENC-TS-ENC of RFC 4120 section 5.2.7.2.
type stamp struct {
	Time time.Time `asn1:"generalized,explicit,tag:0"`
	Usec int       `asn1:"optional,explicit,tag:1"`
}

func marshalTime(now time.Time) ([]byte, error) {
	now = now.UTC()
	return asn1.Marshal(stamp{now.Truncate(time.Second), now.Nanosecond() / 1000})
}
