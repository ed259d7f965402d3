package devcluster

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// KDCAhead is the daemon name of a second KDC of the same realms whose clock is ten minutes ahead. Nothing starts it but
// [Cluster.StartDaemon]; clients with [Cluster.Krb5ConfAhead] ask it.
const KDCAhead = "kdc-ahead"

// aheadBy is more than the five minutes that Kerberos allows.
const aheadBy = 10 * time.Minute

// fakeTimePackage is the Debian package with the library that gives a process another clock.
const fakeTimePackage = "libfaketime"

// fakeTime finds the library.
func fakeTime() (string, error) {
	for _, pattern := range []string{"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("libfaketime.so.1 is not installed and is needed for a KDC with another clock; install it, for example: apt-get install %s", fakeTimePackage)
}

// ensureFakeTime finds the library or installs it by the system's package manager, where that is allowed.
func ensureFakeTime(ctx context.Context, log io.Writer) error {
	_, missing := fakeTime()
	if missing == nil {
		return nil
	}
	if err := aptInstall(ctx, log, fakeTimePackage); err != nil {
		return fmt.Errorf("%w (%w)", missing, err)
	}
	_, err := fakeTime()
	return err
}
