// Package spec is core: what the client and the ApplicationMaster must agree on about the containers of an application,
// namely the manifest of localised files that travels in the environment, their names, and how large containers must be.
package spec
