package files

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/klauspost/compress/gzip"

	"github.com/weft-project/weft/internal/fs"
	"github.com/weft-project/weft/internal/fs/local"
	"github.com/weft-project/weft/operator"
)

type row struct {
	Name string
	N    int64
}

// rows reads records of a split with a reader that is stopped after so many Reads and goes on as another one.
func rows(t *testing.T, src operator.SplitSource[row, Split], split Split, reg *fs.Registry, stopAfter int) []row {
	t.Helper()
	ctx := operator.WithContext(t.Context(), &operator.Context{Ctx: t.Context(), Files: reg})
	var got []row
	for {
		r, err := src.Open(ctx, split, nil)
		if err != nil {
			t.Fatal(err)
		}
		status := operator.More
		for i := 0; status == operator.More && (stopAfter == 0 || i < stopAfter); i++ {
			if status, err = r.Read(func(v *row) { got = append(got, *v) }); err != nil {
				t.Fatal(err)
			}
		}
		split = r.(operator.Resumable[Split]).Remaining()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if status == operator.End {
			return got
		}
	}
}

// What is left of a split is what has not been handed on, wherever the reader is stopped.
func TestReadersGoOnWhereTheyWereStopped(t *testing.T) {
	reg := fs.NewRegistry()
	reg.Register("file", func(string) (fs.FileSystem, error) { return local.New(), nil })
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("Name,N\n")
	var want []row
	for i := range 3000 {
		r := row{fmt.Sprint(i, strings.Repeat("x", i*7%1200)), int64(i)}
		want = append(want, r)
		fmt.Fprintf(&text, "%s,%d\r\n", r.Name, r.N)
		if i%10 == 0 {
			text.WriteString("\n")
		}
	}
	plain, packed := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv.gz")
	if err := os.WriteFile(plain, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(text.String())); err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	src := CSV[row](dir, Header())
	for _, path := range []string{plain, packed} {
		for _, readers := range []int{1, 5} {
			splits, err := planSplits(t.Context(), reg, path, readers, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, stopAfter := range []int{0, 1, 2, 5} {
				var got []row
				for _, s := range splits {
					got = append(got, rows(t, src, s, reg, stopAfter)...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s in %d splits, stopped after %d: %d records, expected %d", path, len(splits), stopAfter, len(got), len(want))
				}
			}
		}
	}
}

// The short way for lines without quotes gives what encoding/csv gives.
func FuzzCSVLine(f *testing.F) {
	for _, s := range []string{"a,b", `"a,b",c`, `a"b`, `"a`, ",", `"",""`, "# no", "ä,ö", "\xff,x", `"a""b","c"`} {
		f.Add(s)
	}
	s := settingsOf([]Option{Comment('#')})
	c, err := newCSVLines(f.Context(), nil, "", Split{}, s, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return // these end lines
		}
		r := csv.NewReader(strings.NewReader(line + "\n"))
		s.csv.set(r)
		want, wantErr := r.Read()
		err := c.split(line)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("line %q: error %v, expected %v", line, err, wantErr)
		}
		if err != nil {
			var bad *BadRecord
			if err != errNoRecord && !errors.As(err, &bad) {
				t.Fatalf("line %q: error %v says no place", line, err)
			}
			return
		}
		if !slices.Equal(c.record, want) {
			t.Fatalf("line %q: %q, expected %q", line, c.record, want)
		}
		for i := range want {
			if _, col := r.FieldPos(i); c.position(i) != col {
				t.Fatalf("line %q: column %d is at %d, expected %d", line, i, c.position(i), col)
			}
		}
	})
}

// Foreign lines never make a reader panic.
func FuzzRecords(f *testing.F) {
	type all struct {
		I  int16
		U  uint32
		F  *float64
		B  bool
		S  string
		In struct{ X []int }
	}
	f.Add(`{"I":1,"F":2.5,"In":{"X":[1]}}`)
	f.Add(`{"I":"x"}`)
	f.Add("1,2,,true,x")
	cols, err := columnsOf(reflect.TypeFor[row]())
	if err != nil {
		f.Fatal(err)
	}
	c, err := newCSVLines(f.Context(), nil, "", Split{}, settingsOf(nil), cols)
	if err != nil {
		f.Fatal(err)
	}
	fill := c.filler(reflect.TypeFor[row]())
	f.Fuzz(func(t *testing.T, line string) {
		var v all
		var bad *BadRecord
		if err := parseJSON(new([]byte), line, &v); err != nil && err != errNoRecord && (!errors.As(err, &bad) || bad.Error() == "") {
			t.Fatalf("line %q: %v", line, err)
		}
		if strings.Contains(line, "\n") {
			return
		}
		if c.split(line) == nil {
			var r row
			if err := fill(unsafe.Pointer(&r)); err != nil && (!errors.As(err, &bad) || bad.Error() == "") {
				t.Fatalf("line %q: %v", line, err)
			}
		}
	})
}
