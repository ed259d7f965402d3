package manifest

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"
)

var write = flag.Bool("write-fixtures", false, "write the fixtures of a new version; those of old ones are never written again")

// What the first version has written is read for ever, and is what it writes today.
func TestFixtures(t *testing.T) {
	for name, b := range map[string][]byte{"testdata/manifest-v1": Encode(sample()), "testdata/snapshot-v1": EncodeSnapshot(sample().Operators)} {
		if *write {
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, b) {
			t.Errorf("%s: version 1 would be written with other bytes; a change is a new version", name)
		}
	}
	b, err := os.ReadFile("testdata/manifest-v1")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Decode(b); err != nil || !reflect.DeepEqual(m, sample()) {
		t.Errorf("%v: %+v", err, m)
	}
	if b, err = os.ReadFile("testdata/snapshot-v1"); err != nil {
		t.Fatal(err)
	}
	if ops, err := DecodeSnapshot(b); err != nil || !reflect.DeepEqual(ops, sample().Operators) {
		t.Errorf("%v: %+v", err, ops)
	}
}
