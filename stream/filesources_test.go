package stream_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/connector/files"
	"github.com/weft-project/weft/stream"
)

type location struct {
	Host netip.Addr
	Zone string
}

// purchase has a column of each kind.
type purchase struct {
	ID     int64 `csv:"id" json:"id"`
	Who    string
	Small  int8    `csv:"small"`
	Share  float32 `csv:"share"`
	Paid   bool
	At     time.Time     `csv:"at"`
	Day    time.Time     `csv:"day,2006-01-02"`
	Took   time.Duration `csv:"took"`
	Note   *string
	Bytes  []byte
	Hidden string `csv:"-" json:"-"`
	location
}

func purchases(n int) []purchase {
	var all []purchase
	for i := range n {
		s := purchase{ID: int64(i) - 3, Who: fmt.Sprint("who ", i), Small: int8(i % 100), Share: float32(i) / 8, Paid: i%2 == 0,
			At: time.Unix(int64(i), 5000).UTC(), Day: time.Unix(int64(i)*86400, 0).UTC(), Took: time.Duration(i) * time.Millisecond,
			Bytes: []byte(fmt.Sprint("b", i)), location: location{netip.MustParseAddr(fmt.Sprint("10.0.0.", i%250)), "z"}}
		if i%3 == 0 {
			note := []string{`quoted "so"`, "with, comma", "plain"}[i/3%3]
			s.Note = &note
		}
		all = append(all, s)
	}
	return all
}

var purchaseColumns = []string{"id", "Who", "small", "share", "Paid", "at", "day", "took", "Note", "Bytes", "Host", "Zone"}

func (s *purchase) row() []string {
	note := ""
	if s.Note != nil {
		note = *s.Note
	}
	return []string{fmt.Sprint(s.ID), s.Who, fmt.Sprint(s.Small), fmt.Sprint(s.Share), fmt.Sprint(s.Paid), s.At.Format(time.RFC3339Nano),
		s.Day.Format(time.DateOnly), s.Took.String(), note, string(s.Bytes), s.Host.String(), s.Zone}
}

// writeCSV writes sales into a file, in the order of the columns that are asked for.
func writeCSV(t *testing.T, path string, comma rune, header bool, columns []string, all []purchase) {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = comma
	if header {
		if err := w.Write(columns); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		row := s.row()
		var out []string
		for _, c := range columns {
			if i := slices.Index(purchaseColumns, c); i >= 0 {
				out = append(out, row[i])
			} else {
				out = append(out, "nobody wants it")
			}
		}
		if err := w.Write(out); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	writeFile(t, path, b.String())
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	data := []byte(text)
	if strings.HasSuffix(path, ".gz") {
		data = zipped(t, data)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// read runs a source to its end.
func read[T, S any](t *testing.T, parallelism int, src stream.SplitSource[T, S]) ([]T, *stream.Result, error) {
	t.Helper()
	env := stream.New()
	env.SetParallelism(parallelism)
	var mu sync.Mutex
	var got []T
	stream.ForEach(stream.FromSource(env, "read", src), "collect", func(v T) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, v)
	})
	r, err := env.Execute(t.Context(), t.Name())
	return got, r, err
}

func expectPurchases(t *testing.T, what string, got, want []purchase) {
	t.Helper()
	slices.SortFunc(got, func(a, b purchase) int { return int(a.ID - b.ID) })
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, expected %d", what, len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: record %+v, expected %+v", what, got[i], want[i])
		}
	}
}

func TestCSVFiles(t *testing.T) {
	want := purchases(500)
	// Rows of more than a split's least size in all, so that splits begin in the middle.
	pad := strings.Repeat("x", 9000)
	for i := range want {
		want[i].Who += pad
	}
	turned := slices.Clone(purchaseColumns)
	slices.Reverse(turned)
	for _, tt := range []struct {
		name    string
		comma   rune
		header  bool
		columns []string
		opts    []files.Option
	}{
		{"by order", ',', false, purchaseColumns, nil},
		{"by header", ',', true, append([]string{"unknown"}, turned...), []files.Option{files.Header()}},
		{"by names", ';', false, turned, []files.Option{files.Separator(';'), files.Columns(turned...)}},
		{"tabs, whole", '\t', true, turned, []files.Option{files.Separator('\t'), files.Header(), files.LinesInQuotes()}},
		{"by order, whole", ',', false, purchaseColumns, []files.Option{files.LinesInQuotes()}},
	} {
		for _, p := range []int{1, 3} {
			dir := t.TempDir()
			writeCSV(t, filepath.Join(dir, "a.csv"), tt.comma, tt.header, tt.columns, want[:400])
			writeCSV(t, filepath.Join(dir, "b.csv.gz"), tt.comma, tt.header, tt.columns, want[400:480])
			writeCSV(t, filepath.Join(dir, "c.csv"), tt.comma, tt.header, tt.columns, want[480:])
			writeFile(t, filepath.Join(dir, "_d.csv"), "no sale")
			got, _, err := read(t, p, files.CSV[purchase](dir, tt.opts...))
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			expectPurchases(t, tt.name, got, want)
		}
	}
}

func TestCSVOfAllColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	writeFile(t, path, "\ufeffone,two\r\n# not this\r\n\r\n\"a\nb\",2\r\nx\r\n")
	got, _, err := read(t, 1, files.CSV[[]string](path, files.LinesInQuotes(), files.Comment('#')))
	if want := [][]string{{"one", "two"}, {"a\nb", "2"}, {"x"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, expected %q", got, err, want)
	}
	writeFile(t, path, "\ufeffone,two\n# not this\n\n\"a,b\",2\nx\n")
	got, _, err = read(t, 1, files.CSV[[]string](path, files.Comment('#')))
	if want := [][]string{{"one", "two"}, {"a,b", "2"}, {"x"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, expected %q", got, err, want)
	}
}

func TestJSONLines(t *testing.T) {
	type rec struct {
		ID   int               `json:"id"`
		Tags []string          `json:"tags"`
		By   map[string]string `json:"by"`
		More *rec              `json:"more"`
	}
	dir := t.TempDir()
	var a, b strings.Builder
	a.WriteString("\ufeff")
	for i := range 3000 {
		w := &a
		if i%10 == 9 {
			w = &b
		}
		fmt.Fprintf(w, "{\"id\": %d, \"tags\": [\"%s\"], \"by\": {\"k\": \"v\"}, \"more\": {\"id\": 1}, \"unknown\": []}\n\n", i, strings.Repeat("y", 1000))
	}
	writeFile(t, filepath.Join(dir, "a.json"), a.String())
	writeFile(t, filepath.Join(dir, "b.json.gz"), b.String())
	for _, p := range []int{1, 4} {
		got, _, err := read(t, p, files.JSON[rec](filepath.Join(dir, "*.json*")))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, r := range got {
			if seen[r.ID] || len(r.Tags) != 1 || len(r.Tags[0]) != 1000 || r.By["k"] != "v" || r.More == nil || r.More.ID != 1 {
				t.Fatalf("record %+v", r)
			}
			seen[r.ID] = true
		}
		if len(got) != 3000 {
			t.Errorf("parallelism %d: %d records, expected 3000", p, len(got))
		}
	}
}

type amount struct {
	Name  string `csv:"name" json:"name"`
	Cents int32  `csv:"cents" json:"cents"`
}

// A record that can not be read is one error that names file, line, column, field and value; or it is counted.
func TestBadRecords(t *testing.T) {
	long := strings.Repeat("x", 5000)
	var csvText, jsonText strings.Builder
	for i := range 1000 { // more than one split; the bad record stands in a later one
		if i == 900 {
			csvText.WriteString("bad,12x\n")
			jsonText.WriteString("{\"name\": \"bad\", \"cents\": \"12x\"}\n")
			continue
		}
		fmt.Fprintf(&csvText, "%s,%d\n", long, i)
		fmt.Fprintf(&jsonText, "{\"name\": \"%s\", \"cents\": %d}\n", long, i)
	}
	for _, tt := range []struct {
		name, text string
		src        func(path string, opts ...files.Option) stream.SplitSource[amount, files.Split]
		want       string
	}{
		{"number", csvText.String(), files.CSV[amount], `line 901, column 5 (cents): "12x": expected a whole number (int32)`},
		{"too large", "a,1\n\"b\",4000000000\n", files.CSV[amount], `line 2, column 5 (cents): "4000000000": too large for a whole number (int32)`},
		{"columns", "a,1\nb,2,3\n", files.CSV[amount], `line 2: "b,2,3": 3 columns: expected 2`},
		{"quote", "a,1\nb\"c,2\n", files.CSV[amount], `line 2, column 2: "b\"c,2": bare " in non-quoted`},
		{"open quote", "a,1\n\"b,2\nc,3\n", files.CSV[amount], `line 2, column`},
		{"json number", jsonText.String(), files.JSON[amount], `line 901, column 26 (cents): "\"12x\"": expected a whole number (int32), got a JSON string`},
		{"json", "{\"name\": \"a\"}\n{\"name\" \"b\"}\n", files.JSON[amount], `line 2, column 9: "\"b\"}": no JSON document: invalid character`},
		{"json cut", "{\"name\": \"a\n", files.JSON[amount], `line 1, column`},
		{"whole", "a,1\n\"b\nc\",x\n", func(path string, opts ...files.Option) stream.SplitSource[amount, files.Split] {
			return files.CSV[amount](path, append(opts, files.LinesInQuotes())...)
		}, `line 2, column 4 (cents): "x": expected a whole number`},
		{"whole columns", "a,1\nb\n", func(path string, opts ...files.Option) stream.SplitSource[amount, files.Split] {
			return files.CSV[amount](path, append(opts, files.LinesInQuotes())...)
		}, `line 2: "b": 1 columns: expected 2`},
	} {
		path := filepath.Join(t.TempDir(), "in")
		writeFile(t, path, tt.text)
		_, _, err := read(t, 2, tt.src(path))
		var failed *stream.JobError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "input file://"+path+", "+tt.want) {
			t.Errorf("%s: error %v, expected %s", tt.name, err, tt.want)
		}
		got, r, err := read(t, 2, tt.src(path, files.SkipBad()))
		if err != nil || r.Counter(files.Skipped) != 1 || len(got)+1 != strings.Count(strings.TrimSuffix(strings.ReplaceAll(tt.text, "\"b\nc", "b"), "\n"), "\n")+1 {
			t.Errorf("%s: %d records, %v, %v, expected one to be passed over", tt.name, len(got), r.Accumulators(), err)
		}
	}
}

func TestFilesThatCanNotBeRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	writeFile(t, path, "name,price\na,1\n")
	type bad struct{ C chan int }
	type hides struct{ Name, secret string }
	_ = hides{secret: ""}.secret
	for want, run := range map[string]func() error{
		`there is no column "cents"; the columns are ["name" "price"]`: func() error {
			_, _, err := read(t, 1, files.CSV[amount](path, files.Header()))
			return err
		},
		`there is no column "cents"; the columns are ["name"]`: func() error {
			_, _, err := read(t, 1, files.CSV[amount](path, files.Columns("name")))
			return err
		},
		`stream/filesources_test.go`:                             func() error { _, _, err := read(t, 1, files.CSV[bad](path)); return err },
		`stream_test.bad.C: chan int can not be a column`:        func() error { _, _, err := read(t, 1, files.CSV[bad](path)); return err },
		`stream_test.hides.secret: a field that is not exported`: func() error { _, _, err := read(t, 1, files.CSV[hides](path)); return err },
		`int can not be columns: expected a struct`:              func() error { _, _, err := read(t, 1, files.CSV[int](path)); return err },
		`columns cannot be separated by '"'`:                     func() error { _, _, err := read(t, 1, files.CSV[amount](path, files.Separator('"'))); return err },
		`directories cannot be watched every 0s`:                 func() error { _, _, err := read(t, 1, files.Text(dir, files.Watch(0))); return err },
		`input ` + dir + `/none: `:                               func() error { _, _, err := read(t, 1, files.JSON[amount](dir+"/none")); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %s", err, want)
		}
	}
}

// A directory that is watched gives each file once, also those that come while the job runs; event time goes on although no
// file is read.
func TestWatchedDirectory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	put := func(name string, from, to int) {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "%d\n", i)
		}
		writeFile(t, filepath.Join(dir, "_"+name), b.String())
		if err := os.Rename(filepath.Join(dir, "_"+name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	put("0", 0, 100)
	writeFile(t, filepath.Join(dir, "empty"), "")
	type tick struct{ At int64 }
	env := stream.New()
	env.SetParallelism(3)
	env.Set("pipeline.auto-watermark-interval", "1 ms")
	src := files.CSV[tick](dir+"/[0-9]*", files.Watch(time.Millisecond))
	s := stream.FromTimedSource(env, "watch", src, stream.Monotonous(func(v *tick) int64 { return v.At }))
	windows := stream.AggregateWindowWith(stream.WindowAll(s, stream.Tumbling(100*ms)), "count", countTicks[tick](),
		func(c *stream.WindowContext[stream.All], n int64, emit func(string)) {
			emit(fmt.Sprint(c.Window.Start, ": ", n))
		})
	var got []string
	stream.ForEach(windows, "collect", func(s string) {
		got = append(got, s)
		switch n := len(got); n {
		case 1, 2, 3:
			put(fmt.Sprint(n), 100*n+50, 100*n+200) // half in the window after the one it makes complete
		default:
			cancel()
		}
	}, stream.Parallelism(1))
	put("1a", 100, 150)
	_, err := env.Execute(ctx, "watch")
	if !errors.Is(err, context.Canceled) && !strings.Contains(fmt.Sprint(err), "cancel") {
		t.Fatal(err)
	}
	if len(got) < 4 || got[0] != "0: 100" || got[1] != "100: 100" {
		t.Errorf("windows %q", got)
	}
	env = stream.New()
	env.SetMode(stream.Batch)
	stream.Discard(stream.FromSource(env, "watch", src), "end")
	if _, err := env.Execute(t.Context(), "watch"); err == nil || !strings.Contains(err.Error(), "unbounded source") {
		t.Errorf("in BATCH mode: %v", err)
	}
}

func countTicks[T any]() stream.Aggregate[T, int64, int64] {
	return stream.Aggregate[T, int64, int64]{Add: func(acc *int64, _ *T) { *acc++ }, Merge: func(acc, o *int64) { *acc += *o },
		Result: func(acc *int64) int64 { return *acc }}
}

// Splits that are found while the job runs, by an enumerator of one's own: it ends when there will be no more.
func TestSplitsThatAreFoundWhileTheJobRuns(t *testing.T) {
	for _, p := range []int{1, 3} {
		read1 := make(chan struct{}, 100)
		src := stream.SplitSource[int64, span]{
			Discover: func(ctx context.Context, e *stream.Enumeration[span]) error {
				if e.Subtasks != p || e.State != nil || stream.SourceContext(ctx) == nil {
					return fmt.Errorf("enumeration %+v", e)
				}
				for i := range int64(5) {
					e.Found(nil, span{100 * i, 100*i + 50, 1}, span{100*i + 50, 100*i + 100, 1})
					select {
					case <-read1: // something of it has been read
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				return nil
			},
			Open: func(ctx context.Context, s span, wake func()) (stream.SplitReader[int64], error) {
				stream.SourceContext(ctx).Counter("opened").Add(1)
				read1 <- struct{}{}
				return &scripted{s.From, s.To, s.Step, wake, false, new(int), new(sync.Mutex)}, nil
			},
		}
		got, r, err := read(t, p, src)
		slices.Sort(got)
		if err != nil || len(got) != 500 || got[0] != 0 || got[499] != 499 || r.Counter("opened") != 10 {
			t.Errorf("parallelism %d: %d records, %v", p, len(got), err)
		}
	}
}

func TestDiscoverFails(t *testing.T) {
	for want, discover := range map[string]func(context.Context, *stream.Enumeration[span]) error{
		"boom":        func(context.Context, *stream.Enumeration[span]) error { return errors.New("boom") },
		"panic: bang": func(context.Context, *stream.Enumeration[span]) error { panic("bang") },
	} {
		src := stream.SplitSource[int64, span]{Discover: discover, Open: func(context.Context, span, func()) (stream.SplitReader[int64], error) { return nil, nil }}
		if _, _, err := read(t, 2, src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %s", err, want)
		}
	}
}

// What the sinks write, the sources read.
func TestSinksOfRecords(t *testing.T) {
	want := purchases(200)
	lines := "several\nlines"
	want[1].Note, want[2].Who = &lines, " "
	for name, tt := range map[string]struct {
		write func(in *stream.Stream[purchase], uri string)
		src   func(uri string, opts ...files.Option) stream.SplitSource[purchase, files.Split]
	}{
		"json": {func(in *stream.Stream[purchase], uri string) { stream.WriteJSON(in, "write", uri) }, files.JSON[purchase]},
		"csv": {func(in *stream.Stream[purchase], uri string) { stream.WriteCSV(in, "write", uri) },
			func(uri string, _ ...files.Option) stream.SplitSource[purchase, files.Split] {
				return files.CSV[purchase](uri, files.LinesInQuotes())
			}},
	} {
		out := filepath.Join(t.TempDir(), "out")
		env := stream.New()
		env.SetParallelism(2)
		tt.write(stream.FromSlice(env, "purchases", want), out)
		if _, err := env.Execute(t.Context(), "write"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, _, err := read(t, 2, tt.src(out))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		expectPurchases(t, name, got, want)
	}
	env := stream.New()
	stream.WriteCSV(stream.FromSlice(env, "maps", []struct{ M map[string]int }{}), "write", "out")
	if _, err := env.Execute(t.Context(), "write"); err == nil || !strings.Contains(err.Error(), "M: map[string]int can not be a column") {
		t.Errorf("error %v", err)
	}
}
