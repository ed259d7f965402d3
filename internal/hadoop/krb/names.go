package krb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Principal is a name in Kerberos: owner@REALM, nn/host@REALM.
type Principal struct {
	Components []string
	Realm      string
}

// ParsePrincipal reads a name; one without a realm gets defaultRealm.
func ParsePrincipal(text, defaultRealm string) (Principal, error) {
	p := Principal{Realm: defaultRealm}
	var part strings.Builder
	realm := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			part.WriteByte(text[i])
		case c == '/' && !realm:
			p.Components = append(p.Components, part.String())
			part.Reset()
		case c == '@' && !realm:
			p.Components = append(p.Components, part.String())
			part.Reset()
			realm = true
		default:
			part.WriteByte(c)
		}
	}
	if realm {
		p.Realm = part.String()
	} else {
		p.Components = append(p.Components, part.String())
	}
	if slices.Contains(p.Components, "") || p.Realm == "" {
		return Principal{}, fmt.Errorf("%w: principal %q: expected a name such as user@REALM or service/host@REALM", ErrConfig, text)
	}
	return p, nil
}

// String gives the name as people write it.
func (p Principal) String() string {
	var b strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `/`, `\/`, `@`, `\@`)
	for i, c := range p.Components {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(quote.Replace(c))
	}
	return b.String() + "@" + p.Realm
}

// named tells whether there is a name at all.
func (p Principal) named() bool {
	return len(p.Components) > 0 && p.Components[0] != "" && p.Realm != ""
}

// Equal tells whether both are the same name.
func (p Principal) Equal(o Principal) bool {
	return p.Realm == o.Realm && slices.Equal(p.Components, o.Components)
}

// name is the form on the wire, without the realm.
func (p Principal) name() types.PrincipalName {
	kind := nametype.KRB_NT_PRINCIPAL
	if len(p.Components) > 1 {
		kind = nametype.KRB_NT_SRV_INST
	}
	return types.PrincipalName{NameType: kind, NameString: slices.Clone(p.Components)}
}

func principalOf(n types.PrincipalName, realm string) Principal {
	return Principal{Components: slices.Clone(n.NameString), Realm: realm}
}

// ticketGranting is the service of a realm's KDC, as the KDC of another realm (or the same) knows it.
func ticketGranting(of, at string) Principal {
	return Principal{Components: []string{"krbtgt", of}, Realm: at}
}
