// Package version is vocabulary: the versions of the protocols and of the SDK in this binary.
package version

// Major and Minor version of the plan, worker and control protocols: the same major and the previous minor are served.
const (
	Major = 1
	Minor = 0
)

// SDK is the version of the SDK in this binary.
const SDK = "0.1.0"
