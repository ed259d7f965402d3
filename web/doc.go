// Package web is a driver: the JobManager's read-only pages, rendered on the server from a rest.Backend. They work without
// JavaScript, with relative addresses only (so also below /proxy/APPLICATION/ of YARN's web proxy), and everything
// shown goes through html/template's escaping. format.go and graph.go are core.
package web
