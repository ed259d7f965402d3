package rest

import (
	"context"
	"fmt"
	"net/http"
)

// Rights are what a user may do.
type Rights struct {
	// View lets read everything but secrets, Modify submit and cancel jobs and end the cluster.
	View, Modify bool
}

// Authoriser tells what a user may do whom somebody we trust has named: YARN's web proxy, or an Identifier. It may be called by
// several requests at once. An error means that it is not known now: the request is refused.
type Authoriser interface {
	Rights(ctx context.Context, user string) (Rights, error)
}

// Identifier is a way in which callers show who they are beside the owner's token, such as SPNEGO.
type Identifier interface {
	// Scheme is the word that such requests have in Authorization: "Negotiate".
	Scheme() string
	// Identify gives the user who sent the request, as the cluster names it. It may set headers of the answer. An error that is
	// fs.ErrPermission is about somebody who is known and is nobody here.
	Identify(w http.ResponseWriter, r *http.Request) (user string, err error)
}

// everybodyReads is the Authoriser where nobody has said who may look.
type everybodyReads struct{}

// Rights is Authoriser's.
func (everybodyReads) Rights(context.Context, string) (Rights, error) { return Rights{View: true}, nil }

// forbidden is the answer to somebody who is known and may not.
func forbidden(user, what, mend string) *Error {
	return &Error{Status: http.StatusForbidden, Message: fmt.Sprintf("user %.64q may not %s this application: %s", user, what, mend)}
}

const (
	viewMend   = "its owner can name them, or a group of theirs, in yarn.view.acls when it is started"
	modifyMend = "its owner can name them, or a group of theirs, in yarn.modify.acls when it is started"
)

// authorise looks up what a user may do. A user without any right is refused here.
func (a *authenticator) authorise(ctx context.Context, who principal) (principal, error) {
	rights, err := a.authoriser.Rights(ctx, who.user)
	if err != nil {
		a.log.Warn("the rights of a user are not known; the request is refused", "user", who.user, "error", err)
		return principal{}, Unavailable("what user %.64q may do is not known now: %v", who.user, err)
	}
	// Who may change something must be able to look at it.
	who.view, who.modify = rights.View || rights.Modify, rights.Modify && !who.proxied
	if !who.view {
		return principal{}, forbidden(who.user, "see", viewMend)
	}
	return who, nil
}
