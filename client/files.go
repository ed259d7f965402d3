package client

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/rest"
	"github.com/weft-project/weft/yarnrpc"
)

// dirName is the folder below the user's home, here and in HDFS.
const dirName = ".weft"

// localDir is ~/.weft.
func (c *Client) localDir() string { return filepath.Join(c.Home, dirName) }

// appDir is where what later commands need to talk to an application lies.
func (c *Client) appDir(app yarnrpc.ApplicationID) string {
	return filepath.Join(c.localDir(), app.String())
}

// Names of files in an application's directory, mode 0600.
const (
	tokenFile   = "token"
	addressFile = "rest"
	// readTokenFile is for programs that may read only.
	readTokenFile = "read-token"
)

// remember stores the token and, when known, the address of an application.
func (c *Client) remember(app yarnrpc.ApplicationID, token, address string) error {
	dir := c.appDir(app)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the access to %s: %w", app, err)
	}
	if err := writePrivate(filepath.Join(dir, tokenFile), []byte(token+"\n")); err != nil {
		return err
	}
	if token != "" {
		if err := writePrivate(filepath.Join(dir, readTokenFile), []byte(rest.ReadToken(token)+"\n")); err != nil {
			return err
		}
	}
	if address == "" {
		return nil
	}
	return writePrivate(filepath.Join(dir, addressFile), []byte(address+"\n"))
}

// recall gives what remember stored; empty where nothing is.
func (c *Client) recall(app yarnrpc.ApplicationID) (token, address string) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(c.appDir(app), name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	return read(tokenFile), read(addressFile)
}

// forget removes what is kept about an application that has ended.
func (c *Client) forget(app yarnrpc.ApplicationID) error {
	err := os.RemoveAll(c.appDir(app))
	if p, readErr := c.readProperties(); readErr == nil && p.application == app {
		err = errors.Join(err, os.Remove(c.propertiesFile()))
	}
	return err
}

// remembered lists the applications something is kept about.
func (c *Client) remembered() []yarnrpc.ApplicationID {
	entries, err := os.ReadDir(c.localDir())
	if err != nil {
		return nil
	}
	var out []yarnrpc.ApplicationID
	for _, e := range entries {
		if app, err := yarnrpc.ParseApplicationID(e.Name()); err == nil && e.IsDir() {
			out = append(out, app)
		}
	}
	return out
}

// writePrivate writes a file of mode 0600 that appears complete or not at all.
func writePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// properties is the content of the file through which commands find the session.
type properties struct {
	application yarnrpc.ApplicationID
	// dynamic are the -D settings the session was started with.
	dynamic map[string]string
}

// propertiesFile is .yarn-properties-USER in yarn.properties-file.location, else in the directory for temporary files.
func (c *Client) propertiesFile() string {
	dir := config.Get(c.Config, config.PropertiesFileLocation)
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, ".yarn-properties-"+c.localUser())
}

// localUser is who runs this process, as the operating system says.
func (c *Client) localUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	if u := c.Getenv("USER"); u != "" {
		return u
	}
	return strconv.Itoa(os.Getuid())
}

// Keys and separator of the properties file, Flink's.
const (
	propertyApplication = "applicationID"
	propertyDynamic     = "dynamicPropertiesString"
	dynamicSeparator    = "@@"
)

// writeProperties writes the file with mode 0600; it holds no secret.
func (c *Client) writeProperties(p properties) error {
	var dynamic []string
	for _, k := range slices.Sorted(maps.Keys(p.dynamic)) {
		// What is secret stays with the session; later commands that need it say it again.
		if !rest.IsSecretKey(k) {
			dynamic = append(dynamic, k+"="+p.dynamic[k])
		}
	}
	var b strings.Builder
	b.WriteString("#Generated YARN properties file\n#" + time.Now().Format(time.UnixDate) + "\n")
	b.WriteString(propertyDynamic + "=" + escapeProperty(strings.Join(dynamic, dynamicSeparator)) + "\n")
	b.WriteString(propertyApplication + "=" + escapeProperty(p.application.String()) + "\n")
	path := c.propertiesFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("properties file: %w", err)
	}
	if err := writePrivate(path, []byte(b.String())); err != nil {
		return fmt.Errorf("properties file: %w", err)
	}
	return nil
}

// errNoProperties tells that there is no properties file.
var errNoProperties = errors.New("no properties file")

// readProperties reads the file. One that another user could have put there is refused: it decides where jobs go.
func (c *Client) readProperties() (properties, error) {
	path := c.propertiesFile()
	// Another user may have put a pipe there: opening one must not wait for it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return properties{}, errNoProperties
	}
	if err != nil {
		return properties{}, fmt.Errorf("properties file: %w", err)
	}
	defer f.Close()
	if err := ownedByUs(f); err != nil {
		return properties{}, fmt.Errorf("properties file %s: %w; remove it", path, err)
	}
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		k, v := splitProperty(line)
		values[k] = v
	}
	if err := lines.Err(); err != nil {
		return properties{}, fmt.Errorf("properties file %s: %w", path, err)
	}
	p := properties{dynamic: map[string]string{}}
	if p.application, err = yarnrpc.ParseApplicationID(values[propertyApplication]); err != nil {
		return properties{}, fmt.Errorf("properties file %s: %s: %w; remove it", path, propertyApplication, err)
	}
	for _, pair := range strings.Split(values[propertyDynamic], dynamicSeparator) {
		if k, v, ok := strings.Cut(pair, "="); ok {
			p.dynamic[k] = v
		}
	}
	return p, nil
}

// escapeProperty writes a value as java.util.Properties does.
func escapeProperty(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`\=:#!`, r) || r == ' ' && i == 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r > 0x7e && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// splitProperty reads one line "key=value" with java.util.Properties' escapes.
func splitProperty(line string) (key, value string) {
	var b strings.Builder
	inValue := false
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case ch == '\\' && i+1 < len(line):
			i++
			switch line[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case 'u':
				if i+4 < len(line) {
					if n, err := strconv.ParseUint(line[i+1:i+5], 16, 16); err == nil {
						b.WriteRune(rune(n))
						i += 4
					}
				}
			default:
				b.WriteByte(line[i])
			}
		case !inValue && (ch == '=' || ch == ':'):
			key, inValue = strings.TrimSpace(b.String()), true
			b.Reset()
		default:
			b.WriteByte(ch)
		}
	}
	if !inValue {
		return strings.TrimSpace(b.String()), ""
	}
	return key, strings.TrimLeft(b.String(), " \t")
}
