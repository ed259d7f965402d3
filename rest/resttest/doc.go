// Package resttest is core: a scripted rest.Backend for tests of servers, clients and pages.
package resttest
