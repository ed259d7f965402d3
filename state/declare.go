package state

import "github.com/weft-project/weft/codec"

// CheckValue tells why values of V cannot be kept; nil when they can.
func CheckValue[V any]() error {
	_, err := codec.Of[V]()
	return err
}

// CheckEntries tells why a map from U to V cannot be kept.
func CheckEntries[U comparable, V any]() error {
	_, err := entriesOf[U, V]()
	return err
}
