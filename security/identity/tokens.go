package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Issuer gives delegation tokens: a store, or the ResourceManager.
type Issuer interface {
	DelegationToken(ctx context.Context, renewer string) (token.Token, error)
	RenewDelegationToken(ctx context.Context, t token.Token) (time.Time, error)
}

// keeper is a store that knows its own token among others.
type keeper interface {
	SetCredentials(creds *token.Credentials) bool
}

// Stores lists the stores of the scheme hdfs that the texts name, each as scheme and authority. A text is a URI or a list of
// them, separated by semicolons or commas; what is none is left out.
func Stores(texts ...string) []string {
	var out []string
	for _, text := range texts {
		for _, uri := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
			scheme, authority, _ := fs.SplitURI(strings.Trim(strings.TrimSpace(uri), `"'`))
			if scheme != "hdfs" || strings.ContainsAny(authority, " \t") {
				continue
			}
			if store := scheme + "://" + authority; !slices.Contains(out, store) {
				out = append(out, store)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Held is a token with the store that gave it.
type Held struct {
	token.Token
	Issuer Issuer
}

// Collect gets a token for each store that has none among those at hand (have, which may be nil).
func Collect(ctx context.Context, files *fs.Registry, stores []string, renewer string, have *token.Credentials) ([]Held, error) {
	var out []Held
	seen := map[string]bool{}
	for _, uri := range stores {
		store, _, err := files.Get(strings.TrimSuffix(uri, "/") + "/")
		if err != nil {
			return nil, fmt.Errorf("delegation token: %w", err)
		}
		issuer, gives := store.(Issuer)
		if k, ok := store.(keeper); !gives || seen[store.URI()] || ok && have != nil && k.SetCredentials(have) {
			continue
		}
		seen[store.URI()] = true
		t, err := issuer.DelegationToken(ctx, renewer)
		if err != nil {
			return nil, fmt.Errorf("delegation token for %s: %w", store.URI(), err)
		}
		out = append(out, Held{t, issuer})
	}
	return out, nil
}

// CollectAll is Collect for stores that there must be a token for, and others that may do without one: then skipped is told why.
func CollectAll(ctx context.Context, files *fs.Registry, must, may []string, renewer string, have *token.Credentials, skipped func(error)) ([]Held, error) {
	held, err := Collect(ctx, files, must, renewer, have)
	if err != nil {
		return nil, err
	}
	for _, store := range may {
		if slices.Contains(must, store) {
			continue
		}
		more, err := Collect(ctx, files, []string{store}, renewer, have)
		if err != nil && ctx.Err() == nil {
			skipped(err)
		}
		held = append(held, more...)
	}
	return held, ctx.Err()
}

// Ends tells when the first of the delegation tokens ends for good, however often it is renewed; zero where there is none.
func Ends(creds *token.Credentials, kinds ...string) (time.Time, error) {
	var first time.Time
	var errs []error
	if creds == nil {
		return first, nil
	}
	for _, kind := range kinds {
		for _, t := range creds.OfKind(kind) {
			d, err := t.Delegation()
			if err != nil {
				errs = append(errs, err)
			} else if first.IsZero() || d.Max.Before(first) {
				first = d.Max
			}
		}
	}
	return first, errors.Join(errs...)
}
