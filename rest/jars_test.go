package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime/multipart"
	"net/http"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/rest/resttest"
)

// newJars is a store that takes what begins with "program".
func newJars(t *testing.T) (*rest.Jars, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "jars")
	jars, err := rest.NewJars(dir, func(file, name string) (string, error) {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if !bytes.HasPrefix(content, []byte("program")) {
			return "", errors.New(name + " is no program")
		}
		return "example.com/count", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return jars, dir
}

// form is a body with one file, and its content type.
func form(t *testing.T, name, content string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	err := w.WriteField("note", "no file")
	part, partErr := w.CreateFormFile("jarfile", name)
	if err = errors.Join(err, partErr); err == nil {
		_, err = part.Write([]byte(content))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestJars(t *testing.T) {
	jars, dir := newJars(t)
	h := newHandler(t, resttest.Sample(), func(o *rest.Options) { o.Jars = jars })
	upload := func(name, content string) (int, []byte) {
		body, kind := form(t, name, content)
		answer := ask(h, "POST", "/v1/jars/upload", body, map[string]string{"Content-Type": kind})
		return answer.Code, answer.Body.Bytes()
	}
	status, body := upload("count words", "program")
	var up rest.JarUpload
	if err := json.Unmarshal(body, &up); err != nil || status != 200 || up.Status != "success" {
		t.Fatalf("upload: %d %s", status, body)
	}
	jar := path.Base(up.FileName)
	if !strings.HasSuffix(jar, "_count_words") || files(t, dir) != 1 {
		t.Errorf("id %s, %d files", jar, files(t, dir))
	}
	list := ask(h, "GET", "/jars", "", nil).Body.String()
	for _, want := range []string{`"address":"http://example.com"`, `"id":"` + jar + `"`, `"name":"count_words"`, `"entry":[{"name":"example.com/count","description":null}]`} {
		if !strings.Contains(list, want) {
			t.Errorf("%s is not in %s", want, list)
		}
	}
	if a := ask(h, "GET", "/jars/"+jar, "", nil); a.Code != 200 || !strings.Contains(a.Body.String(), jar) {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	for _, method := range []string{"POST /run", "GET /plan", "POST /plan"} {
		verb, sub, _ := strings.Cut(method, " ")
		if a := ask(h, verb, "/jars/"+jar+sub, "", nil); a.Code != 404 || !strings.Contains(firstError(t, a.Body.Bytes()), "runs no uploaded programs") {
			t.Errorf("%s: %d %s", method, a.Code, a.Body)
		}
	}
	if a := ask(h, "DELETE", "/jars/"+jar, "", nil); a.Code != 200 || files(t, dir) != 0 {
		t.Errorf("delete: %d %s, %d files left", a.Code, a.Body, files(t, dir))
	}
	if a := ask(h, "DELETE", "/jars/"+jar, "", nil); a.Code != 404 {
		t.Errorf("delete again: %d %s", a.Code, a.Body)
	}
	if a := ask(h, "GET", "/jars", "", nil); !strings.HasSuffix(a.Body.String(), `"files":[]}`) {
		t.Errorf("the list afterwards: %s", a.Body)
	}
}

func TestJarRefusals(t *testing.T) {
	jars, dir := newJars(t)
	h := newHandler(t, resttest.Sample(), func(o *rest.Options) { o.Jars = jars })
	body, kind := form(t, `..\..\evil`, "not one")
	cut, _ := form(t, "job", "program")
	for _, c := range []struct {
		body, kind string
		status     int
		says       string
	}{
		{body, kind, 400, "evil is no program"},
		{cut[:len(cut)-30], kind, 400, ""},
		{"{}", "application/json", 415, "multipart/form-data"},
		{"--x--\r\n", "multipart/form-data; boundary=x", 400, "no file"},
	} {
		a := ask(h, "POST", "/jars/upload", c.body, map[string]string{"Content-Type": c.kind})
		if got := firstError(t, a.Body.Bytes()); a.Code != c.status || !strings.Contains(got, c.says) {
			t.Errorf("%.40q: %d %s", c.body, a.Code, got)
		}
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left of refused uploads", n)
	}
	body, kind = form(t, "job", "program")
	for range 32 {
		if a := ask(h, "POST", "/jars/upload", body, map[string]string{"Content-Type": kind}); a.Code != 200 {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	if a := ask(h, "POST", "/jars/upload", body, map[string]string{"Content-Type": kind}); a.Code != 409 || files(t, dir) != 32 {
		t.Errorf("one too many: %d %s, %d files", a.Code, a.Body, files(t, dir))
	}
}

// TestJarsNeedTheOwner: the proxy's users see what was uploaded and change nothing; clusters without a store say so.
func TestJarsNeedTheOwner(t *testing.T) {
	jars, dir := newJars(t)
	h := newHandler(t, resttest.Sample(), func(o *rest.Options) {
		o.Jars, o.ProxyHosts = jars, []string{"proxy"}
		o.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		}
	})
	body, kind := form(t, "job", "program")
	proxied := map[string]string{"Authorization": "", "Cookie": "proxy-user=ada", "Content-Type": kind}
	if a := ask(h, "GET", "/jars", "", proxied); a.Code != http.StatusOK {
		t.Errorf("list through the proxy: %d %s", a.Code, a.Body)
	}
	for _, c := range []string{"POST /jars/upload", "DELETE /jars/x", "POST /jars/x/run", "GET /jars/x/plan", "POST /jars/x/plan"} {
		method, target, _ := strings.Cut(c, " ")
		if a := ask(h, method, target, body, proxied); a.Code != http.StatusUnauthorized {
			t.Errorf("%s through the proxy: %d %s", c, a.Code, a.Body)
		}
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files", n)
	}
	without := newHandler(t, resttest.Sample(), nil)
	if a := ask(without, "GET", "/jars", "", nil); a.Code != 404 || !strings.Contains(firstError(t, a.Body.Bytes()), "takes no uploaded programs") {
		t.Errorf("without a store: %d %s", a.Code, a.Body)
	}
}
