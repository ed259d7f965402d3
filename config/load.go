package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File names in a configuration directory, in the order in which they are looked for.
const (
	// FileName is the YAML file, nested or flat keys.
	FileName = "config.yaml"
	// LegacyFileName is Flink's file before 1.19: lines "key: value", no YAML.
	LegacyFileName = "flink-conf.yaml"
)

// maxFile bounds what is read of a configuration file.
const maxFile = 8 << 20

// Dir finds the configuration directory: WEFT_CONF_DIR, else FLINK_CONF_DIR, else conf/ beside the resolved binary or
// beside its bin/ folder. It gives "" when there is none; a directory named by a variable must exist.
func Dir(getenv func(string) string, executable string) (string, error) {
	for _, name := range []string{"WEFT_CONF_DIR", "FLINK_CONF_DIR"} {
		if dir := getenv(name); dir != "" {
			if st, err := os.Stat(dir); err != nil || !st.IsDir() {
				return "", fmt.Errorf("%s is %s, which is not a directory", name, dir)
			}
			return dir, nil
		}
	}
	if executable == "" {
		return "", nil
	}
	if real, err := filepath.EvalSymlinks(executable); err == nil {
		executable = real
	}
	for _, dir := range []string{filepath.Join(filepath.Dir(executable), "conf"), filepath.Join(filepath.Dir(executable), "..", "conf")} {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return filepath.Clean(dir), nil
		}
	}
	return "", nil
}

// Load reads the configuration of a directory: config.yaml, else flink-conf.yaml, else nothing. dir may be empty. The
// values are not checked: see Check. With an error comes what could be read, so that its values can be checked too.
func Load(dir string) (*Config, error) {
	c := New()
	if dir == "" {
		return c, nil
	}
	for _, f := range []struct {
		name string
		read func(*Config, string, []byte) error
	}{{FileName, readYAML}, {LegacyFileName, readLines}} {
		path := filepath.Join(dir, f.name)
		data, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		return c, f.read(c, path, data)
	}
	return c, nil
}

// LoadFile reads one file in the format of config.yaml, such as the one that Write wrote.
func LoadFile(path string) (*Config, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := New()
	return c, readYAML(c, path, data)
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes, is it a configuration file?", path, maxFile)
	}
	return data, err
}

// readYAML reads config.yaml: nested and flat keys may be mixed; scalars keep the text they were written with.
func readYAML(c *Config, path string, data []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("configuration %s: expected lines of the form key: value", path)
	}
	f := &flattener{config: c, path: path, seen: map[string]string{}}
	return f.flatten("", root, 0)
}

// Bounds of what a file may hold: a few references in YAML can stand for more values than any machine holds.
const (
	maxDepth = 50
	maxKeys  = 100_000
)

// flattener makes flat keys of nested ones.
type flattener struct {
	config *Config
	path   string
	// seen says where a key, as it was spelled, was set first.
	seen map[string]string
	keys int
}

func (f *flattener) flatten(prefix string, n *yaml.Node, depth int) error {
	c, path := f.config, f.path
	if depth > maxDepth {
		return fmt.Errorf("configuration %s, line %d: keys are nested more than %d deep", path, n.Line, maxDepth)
	}
	var all []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		key := prefix + k.Value
		source := fmt.Sprintf("%s, line %d", path, k.Line)
		if f.keys++; f.keys > maxKeys {
			return fmt.Errorf("configuration %s: more than %d keys, counting each use of a reference", source, maxKeys)
		}
		if k.Kind != yaml.ScalarNode || k.Value == "" || k.Tag == "!!merge" {
			all = append(all, fmt.Errorf("configuration %s: expected a key", source))
			continue
		}
		if first, twice := f.seen[key]; twice {
			all = append(all, fmt.Errorf("configuration %s: %s is set twice, first at %s", source, key, first))
			continue
		}
		if v.Kind != yaml.MappingNode && v.Tag != "!!null" {
			f.seen[key] = source
		}
		switch v.Kind {
		case yaml.MappingNode:
			if d, _ := find(key); d != nil && d.Type == "Map" {
				text, err := scalarMap(path, v)
				all = append(all, err)
				c.Set(File, key, text, source)
				continue
			}
			err := f.flatten(key+".", v, depth+1)
			all = append(all, err)
			if f.keys > maxKeys {
				return errors.Join(all...)
			}
		case yaml.SequenceNode:
			text, err := sequence(path, v)
			all = append(all, err)
			c.Set(File, key, text, source)
		case yaml.ScalarNode:
			if v.Tag == "!!null" {
				continue
			}
			c.Set(File, key, v.Value, source)
		}
	}
	return errors.Join(all...)
}

func sequence(path string, n *yaml.Node) (string, error) {
	var elements []string
	for _, e := range n.Content {
		switch e.Kind {
		case yaml.ScalarNode:
			elements = append(elements, e.Value)
		case yaml.MappingNode:
			text, err := scalarMap(path, e)
			if err != nil {
				return "", err
			}
			elements = append(elements, text)
		default:
			return "", fmt.Errorf("configuration %s, line %d: expected a list of plain values", path, e.Line)
		}
	}
	return joinList(elements), nil
}

// scalarMap writes a YAML map of scalars as "k:v,k:v".
func scalarMap(path string, n *yaml.Node) (string, error) {
	var parts []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i+1].Kind != yaml.ScalarNode {
			return "", fmt.Errorf("configuration %s, line %d: expected a plain value", path, n.Content[i+1].Line)
		}
		parts = append(parts, n.Content[i].Value+":"+n.Content[i+1].Value)
	}
	return strings.Join(parts, ","), nil
}

// readLines reads flink-conf.yaml as Flink up to 1.18 does: one "key: value" a line, # starts a comment anywhere.
func readLines(c *Config, path string, data []byte) error {
	var all []error
	for i, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		text, _, _ := strings.Cut(line, "#")
		text = strings.TrimSpace(text)
		if text == "" || text == "---" {
			continue
		}
		source := fmt.Sprintf("%s, line %d", path, i+1)
		key, value, ok := strings.Cut(text, ": ")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok && strings.HasSuffix(key, ":") {
			// "key:" without a value: not set, as in Flink.
			continue
		}
		if !ok || key == "" {
			all = append(all, fmt.Errorf("configuration %s: %q is not of the form key: value", source, text))
			continue
		}
		c.Set(File, key, value, source)
	}
	return errors.Join(all...)
}

// Write writes the effective configuration, flat, in the format of config.yaml: what travels with an application. It holds
// whatever the user configured, secrets too, so the file must be private.
func (c *Config) Write(w io.Writer) error {
	values := c.Map()
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		root.Content = append(root.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: values[k]})
	}
	if len(root.Content) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := errors.Join(enc.Encode(root), enc.Close()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
