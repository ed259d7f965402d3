package ha

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NextEpoch gives the epoch after last: the time in milliseconds, as leaders without a store take it, unless last is not below that. So epochs
// grow even when the cluster's entries were removed in between, and when a cluster begins to use a store.
func NextEpoch(last Epoch, now time.Time) Epoch {
	return max(last+1, Epoch(max(now.UnixMilli(), 1)))
}

// ParseEpoch reads what String and %d write.
func ParseEpoch(text string) (Epoch, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("epoch %q: expected a decimal number", text)
	}
	return Epoch(n), nil
}

// String gives the decimal number.
func (e Epoch) String() string { return strconv.FormatUint(uint64(e), 10) }

// PublishingFolder is the name of the folder from which an epoch publishes (F4).
func PublishingFolder(e Epoch) string { return folderPrefix + e.String() }

// ParsePublishingFolder reads the epoch of a publishing folder's name; ok is false for other names.
func ParsePublishingFolder(name string) (e Epoch, ok bool) {
	text, ok := strings.CutPrefix(name, folderPrefix)
	if !ok {
		return 0, false
	}
	e, err := ParseEpoch(text)
	return e, err == nil
}
