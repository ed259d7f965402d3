package config

import (
	"fmt"
	"slices"
	"strings"
)

//go:generate go run ./gen ../docs/configuration.md

// family is a prefix of keys that are made of names which users choose.
type family struct {
	prefix string
	// doc is for the reference; empty for families that this release passes on and does not use.
	doc string
}

var families = []family{
	{"flink.hadoop.", "`flink.hadoop.KEY` sets KEY in the Hadoop configuration, for Weft only."},
	{"flink.yarn.", "`flink.yarn.KEY` sets `yarn.KEY` in the Hadoop configuration, for Weft only."},
	{"containerized.master.env.", "`containerized.master.env.NAME` sets the environment variable NAME of the JobManager."},
	{"yarn.application-master.env.", "The same; `containerized.master.env.` wins."},
	{"containerized.taskmanager.env.", "`containerized.taskmanager.env.NAME` sets the environment variable NAME of TaskManagers and of their workers."},
	{"yarn.taskmanager.env.", "The same for TaskManagers only; `containerized.taskmanager.env.` wins."},
	{"metrics.reporter.", ""}, {"external-resource.", ""}, {"security.kerberos.token.provider.", ""},
	{"security.delegation.token.provider.", ""}, {"traces.reporter.", ""}, {"job.", ""},
}

const referenceHead = `# Configuration

Made from the declarations in package ` + "`config`" + ` by ` + "`go generate ./config/...`" + `; do not edit.

Weft reads ` + "`config.yaml`" + `, nested or flat keys, else ` + "`flink-conf.yaml`" + `, in ` + "`WEFT_CONF_DIR`" + `, else ` + "`FLINK_CONF_DIR`" + `, else
` + "`conf/`" + ` beside the program. The command line (` + "`-D key=value`" + ` and the options that stand for a key) wins over the file, what a
job's program sets wins over both. Keys are Flink's where Flink has them, and a file of any release from 1.6 on can be used as it
is: the old name of a key is read and noted with the new one, and keys of Flink that do nothing here are listed in one line when a
command starts. Any other key that is not listed here is kept and passed on to jobs and file systems; one that is nearly a listed one
is noted. A value that does not fit its key is an error, and all errors of a configuration are told at once.

| type | how it is written |
| --- | --- |
| Boolean | ` + "`true`, `false`" + ` |
| Duration | a whole number and ` + "`d`, `h`, `min`, `s`, `ms`, `µs` or `ns`" + `, or their long names, or ISO 8601: ` + "`10 s`, `5min`, `PT1M30S`" + `; a bare number is milliseconds |
| MemorySize | a whole number and ` + "`b`, `kb`, `mb`, `gb` or `tb`" + `, all binary: ` + "`1024m`, `2 gb`" + `; a bare number is bytes, but MB after ` + "`-jm` and `-tm`" + ` |
| List | ` + "`a;b`" + `, or a YAML list |
| PortRange | ` + "`8081`, `50100-50200`" + ` or a list of these with commas; 0 is any free port |
| Platform | ` + "`linux/amd64`, `linux/arm64`" + ` |
| Enum | one of the words, in any case |
`

// Reference is the reference page of all options, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	var sections []string
	rows := map[string][]Definition{}
	for _, d := range table {
		if !slices.Contains(sections, d.Section) {
			sections = append(sections, d.Section)
		}
	}
	for _, d := range Options() {
		rows[d.Section] = append(rows[d.Section], d)
	}
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | what it does | also read |\n| --- | --- | --- | --- | --- |\n", s)
		for _, d := range rows[s] {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Key, d.typeText(), d.defaultText(), cell(d.Doc), d.otherKeys())
		}
	}
	b.WriteString("\n## Keys with names of your choice\n\n| keys | what they do |\n| --- | --- |\n")
	for _, f := range families {
		if f.doc != "" {
			fmt.Fprintf(&b, "| `%s*` | %s |\n", f.prefix, cell(f.doc))
		}
	}
	return b.String()
}

func (d Definition) typeText() string {
	if d.Unit != "" {
		return d.Type + ", bare numbers are " + d.Unit
	}
	return strings.TrimSuffix(d.Type, "<String>")
}

func (d Definition) defaultText() string {
	if d.Default == "" {
		return "none"
	}
	return "`" + d.Default + "`"
}

// otherKeys are the keys whose values hold when the option's own is not set.
func (d Definition) otherKeys() string {
	var out []string
	for _, a := range d.Aliases {
		text := "`" + a.Key + "` (old)"
		if a.BareUnit == "m" {
			text = "`" + a.Key + "` (old, in MB)"
		}
		out = append(out, text)
	}
	for _, k := range d.Fallbacks {
		out = append(out, "`"+k+"`")
	}
	return strings.Join(out, ", ")
}

// cell makes a paragraph the content of a table's cell; keys in it are set as code.
func cell(text string) string {
	words := strings.Split(strings.ReplaceAll(text, "|", `\|`), " ")
	for i, w := range words {
		bare := strings.TrimRight(w, ".,;:")
		if d, _ := find(bare); d != nil {
			words[i] = "`" + bare + "`" + w[len(bare):]
		}
	}
	return strings.Join(words, " ")
}
