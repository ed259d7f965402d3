// Package rest is a driver: the HTTP interface of a JobManager. Its vocabulary part (documents*.go, backend.go, errors.go)
// does no I/O: the documents are Flink's, field for field, so that tools written for Flink's REST API read them. The rest
// of the package serves a Backend over HTTP (Server) and reads such a server (Client).
//
// A JobManager implements Backend (package jobview makes most documents from a job's state) and puts it together:
//
//	pages, err := web.New(web.Options{Backend: backend, LogDir: dir, Log: log})
//	server, err := rest.NewServer(rest.Options{Backend: backend, Token: token, ProxyHosts: hosts, LogDir: dir, Pages: pages, Log: log})
//	err = server.Serve(ctx, listener)
//
// Own paths, which Flink does not have, lie under /v1/weft/ and carry the messages of package restpb. The generated table
// of all paths is docs/rest.md.
package rest
