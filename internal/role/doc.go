// Package role is vocabulary: which role a job binary plays in this process, and the hook through which
// stream.Env.Execute reaches the code that plays it, so that stream imports no process package.
//
// internal/launch installs the hook; stream blank-imports launch. The role comes from the environment, never from a
// flag the author must handle: WEFT_ROLE is empty (local), "plan" or "worker"; WEFT_ROLE_FD is the number of the inherited
// socket that speaks rpc/planpb (plan) or rpc/controlpb (worker).
package role
