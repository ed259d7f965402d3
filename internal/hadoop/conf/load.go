package hadoopconf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// siteFiles are the files read, in Hadoop's order: the later one wins.
var siteFiles = []string{"core-site.xml", "hdfs-site.xml", "yarn-site.xml", "mapred-site.xml"}

// Bounds on what is read, so that a wrong file ends in an error and not in exhausted memory.
const (
	maxFileBytes    = 16 << 20
	maxIncludeDepth = 16
)

// ErrNoConfiguration marks that no Hadoop configuration was found. Test with errors.Is.
var ErrNoConfiguration = errors.New("no hadoop configuration found")

// Load finds and reads the configuration that the environment names (see the package comment). Without any it returns
// an error that wraps ErrNoConfiguration and says what to set.
func Load(getenv func(string) string) (*Conf, error) {
	var named []string
	for _, name := range []string{"HADOOP_CONF_DIR", "YARN_CONF_DIR"} {
		dir := getenv(name)
		if dir == "" {
			continue
		}
		// A directory that was named by hand must be right: falling through to another one would send jobs to another cluster.
		if !hasSiteFile(dir) {
			return nil, fmt.Errorf("%w: %s is %s, which has none of %s: set it to the directory of the cluster's configuration files",
				ErrNoConfiguration, name, dir, strings.Join(siteFiles, ", "))
		}
		named = append(named, dir)
	}
	if len(named) > 0 {
		return loadDirs(getenv, named)
	}
	candidates := []string{"/etc/hadoop/conf", "/etc/hadoop"}
	if home := getenv("HADOOP_HOME"); home != "" {
		candidates = append([]string{filepath.Join(home, "etc", "hadoop")}, candidates...)
	}
	for _, dir := range candidates {
		if hasSiteFile(dir) {
			return loadDirs(getenv, []string{dir})
		}
	}
	return nil, fmt.Errorf("%w: HADOOP_CONF_DIR, YARN_CONF_DIR and HADOOP_HOME are not set or have no configuration, %s have none of %s: "+
		"set HADOOP_CONF_DIR to the directory that holds the cluster's core-site.xml and yarn-site.xml",
		ErrNoConfiguration, strings.Join(candidates, " and "), strings.Join(siteFiles, ", "))
}

// LoadDirs reads the configuration files of the given directories; each file is taken from the first one that has it.
func LoadDirs(getenv func(string) string, dirs ...string) (*Conf, error) {
	for _, d := range dirs {
		if hasSiteFile(d) {
			return loadDirs(getenv, dirs)
		}
	}
	return nil, fmt.Errorf("%w: %s has none of %s", ErrNoConfiguration, strings.Join(dirs, ", "), strings.Join(siteFiles, ", "))
}

// LoadFile reads one file, such as the one that WriteXML wrote.
func LoadFile(getenv func(string) string, path string) (*Conf, error) {
	c := New(getenv)
	if err := c.readFile(path, 0); err != nil {
		return nil, err
	}
	return c, nil
}

func hasSiteFile(dir string) bool {
	for _, f := range siteFiles {
		if st, err := os.Stat(filepath.Join(dir, f)); err == nil && !st.IsDir() {
			return true
		}
	}
	return false
}

func loadDirs(getenv func(string) string, dirs []string) (*Conf, error) {
	c := New(getenv)
	for _, name := range siteFiles {
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := c.readFile(path, 0); err != nil {
				return nil, err
			}
			break
		}
	}
	return c, nil
}

// ParseXML reads one configuration document; name stands for it in messages. xi:include is refused: there is no
// directory to resolve it against.
func ParseXML(getenv func(string) string, name string, r io.Reader) (*Conf, error) {
	c := New(getenv)
	if err := c.parse(name, "", r, 0); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Conf) readFile(path string, depth int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("hadoop configuration: %w", err)
	}
	defer f.Close()
	return c.parse(path, filepath.Dir(path), f, depth)
}

// node is one XML element, names without their namespace.
type node struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []node     `xml:",any"`
}

func (c *Conf) parse(name, dir string, r io.Reader, depth int) error {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return fmt.Errorf("hadoop configuration %s: %w", name, err)
	}
	if len(data) > maxFileBytes {
		return fmt.Errorf("hadoop configuration %s: larger than %d bytes, is it a configuration file?", name, maxFileBytes)
	}
	c.files = append(c.files, name)
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.CharsetReader = charsetReader
	var root node
	if err := dec.Decode(&root); err != nil {
		return fmt.Errorf("hadoop configuration %s: not well-formed XML: %w", name, err)
	}
	if root.XMLName.Local != "configuration" {
		return fmt.Errorf("hadoop configuration %s: top element is <%s>, expected <configuration>", name, root.XMLName.Local)
	}
	return c.elements(name, dir, root.Children, depth)
}

func (c *Conf) elements(name, dir string, nodes []node, depth int) error {
	for _, n := range nodes {
		switch n.XMLName.Local {
		case "property":
			c.property(name, n)
		case "configuration":
			if err := c.elements(name, dir, n.Children, depth); err != nil {
				return err
			}
		case "include":
			if err := c.include(name, dir, n, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// property stores one <property>; the attribute form <property name= value= final=/> is Hadoop's too.
func (c *Conf) property(file string, n node) {
	var key, value string
	var final, hasValue bool
	for _, a := range n.Attrs {
		switch a.Name.Local {
		case "name":
			key = strings.TrimSpace(a.Value)
		case "value":
			value, hasValue = a.Value, true
		case "final":
			final = a.Value == "true"
		}
	}
	for _, ch := range n.Children {
		switch ch.XMLName.Local {
		case "name":
			key = strings.TrimSpace(ch.Text)
		case "value":
			value, hasValue = ch.Text, true
		case "final":
			final = strings.TrimSpace(ch.Text) == "true"
		}
	}
	if key == "" || !hasValue {
		return
	}
	c.put(key, entry{value: value, source: file, final: final})
}

func (c *Conf) include(file, dir string, n node, depth int) error {
	var href string
	for _, a := range n.Attrs {
		if a.Name.Local == "href" {
			href = strings.TrimSpace(a.Value)
		}
	}
	if href == "" {
		return fmt.Errorf("hadoop configuration %s: xi:include without href", file)
	}
	if depth >= maxIncludeDepth {
		return fmt.Errorf("hadoop configuration %s: xi:include %s is nested more than %d deep, does a file include itself?", file, href, maxIncludeDepth)
	}
	path, err := includePath(dir, href)
	if err != nil {
		return fmt.Errorf("hadoop configuration %s: xi:include %s: %w", file, href, err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		for _, ch := range n.Children {
			if ch.XMLName.Local == "fallback" {
				return c.elements(file, dir, ch.Children, depth+1)
			}
		}
		return fmt.Errorf("hadoop configuration %s: xi:include %s: %s does not exist and there is no fallback", file, href, path)
	}
	return c.readFile(path, depth+1)
}

func includePath(dir, href string) (string, error) {
	if u, err := url.Parse(href); err == nil && u.Scheme != "" {
		if u.Scheme != "file" {
			return "", fmt.Errorf("scheme %q is not read, only files are", u.Scheme)
		}
		return filepath.FromSlash(u.Path), nil
	}
	if filepath.IsAbs(href) {
		return href, nil
	}
	if dir == "" {
		return "", errors.New("a document without a directory cannot include a file")
	}
	return filepath.Join(dir, href), nil
}

// charsetReader reads the encodings seen in configuration files beside UTF-8.
func charsetReader(charset string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1":
		raw, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		runes := make([]rune, len(raw))
		for i, b := range raw {
			runes[i] = rune(b)
		}
		return strings.NewReader(string(runes)), nil
	}
	return nil, fmt.Errorf("encoding %q is not supported, save the file as UTF-8", charset)
}

// WriteXML writes the effective configuration (every set key, expanded; no built-in defaults) as one document that
// ParseXML, LoadFile and Hadoop itself read. Variables that could not be resolved here stay as they are written.
func (c *Conf) WriteXML(w io.Writer) error {
	type property struct {
		Name  string `xml:"name"`
		Value string `xml:"value"`
	}
	var doc struct {
		XMLName    xml.Name   `xml:"configuration"`
		Properties []property `xml:"property"`
	}
	for _, k := range c.Keys() {
		doc.Properties = append(doc.Properties, property{Name: k, Value: c.Get(k)})
	}
	out, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("hadoop configuration: %w", err)
	}
	if _, err := io.WriteString(w, xml.Header+string(out)+"\n"); err != nil {
		return fmt.Errorf("hadoop configuration: %w", err)
	}
	return nil
}
