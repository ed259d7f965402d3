package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/weft-project/weft/config"
)

// completionCommand writes the completion of a shell, made of the command tree, so that it knows the options of this binary.
func (p *process) completionCommand(_ context.Context, args []string) error {
	s, err := read("completion", helps["completion"].options(), args, false)
	if err != nil {
		return err
	}
	if s.help {
		printHelp(p.stdout, "completion")
		return nil
	}
	if len(s.words) == 1 {
		switch s.words[0] {
		case "bash":
			fmt.Fprint(p.stdout, bashCompletion(p.commands().Commands))
			return nil
		case "zsh":
			fmt.Fprint(p.stdout, zshCompletion(p.commands().Commands))
			return nil
		}
	}
	return &usageError{"completion", "expected bash or zsh"}
}

// offered are the commands that completion knows: those that help shows.
func offered(all []*cli.Command) (names []string) {
	for _, c := range all {
		if _, ok := helps[c.Name]; ok && !c.Hidden {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

// spellings are an option's names with dashes, as help shows them.
func spellings(o option) (out []string) {
	for i, n := range o.names {
		dashes := "-"
		if i > 0 || len(o.names) == 1 && len(n) > 1 && !o.property {
			dashes = "--"
		}
		out = append(out, dashes+n)
	}
	return out
}

func shownOptions(command string) []option {
	return slices.DeleteFunc(helps[command].options(), func(o option) bool { return o.hidden })
}

// targets are the values of -t.
var targets = []string{config.TargetSession, config.TargetPerJob, config.TargetApplication, "remote", config.TargetLocal}

// words are what may stand after an option, or nil for files; known tells whether either is so.
func (o option) words() (words []string, known bool) {
	switch o.arg {
	case "path", "file", "dir":
		return nil, true
	case "target":
		return targets, true
	case "key=value":
		for _, d := range config.Options() {
			words = append(words, d.Key+"=")
		}
		return words, true
	}
	return nil, false
}

// arguments are what a command takes besides options: words, or nil for files.
func arguments(command string) []string {
	switch command {
	case "completion":
		return []string{"bash", "zsh"}
	case "run", "run-application", "info", "init":
		return nil
	}
	return []string{}
}

const bashHead = `# Completion of weft for bash, made by: weft completion bash
# Use it in this shell:   source <(weft completion bash)
# In every shell:         weft completion bash > ~/.local/share/bash-completion/completions/weft

_weft_words() {
	COMPREPLY=($(compgen -W "$1" -- "$cur"))
	# A key goes on with its value.
	if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}

_weft_files() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -f -- "$cur"))
	compopt -o filenames 2>/dev/null
}

_weft() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} first=2
	COMPREPLY=()
	if [[ ${COMP_WORDS[0]##*/} == yarn-session.sh ]]; then
		command=yarn-session first=1
	elif [[ $COMP_CWORD -eq 1 ]]; then
		_weft_words "@COMMANDS@ --help --version"
		return
	fi
	# Values of options that stand before the cursor, and options themselves, are no arguments.
	local i word taken=0 plain=0
	local valued options arguments
	case $command in
`

const bashTail = `	*) return ;;
	esac
	for ((i = first; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((taken)); then
			taken=0
		elif [[ " $valued " == *" $word "* ]]; then
			taken=1
		elif [[ $word != -* ]]; then
			plain=1
		fi
	done
	if ((taken)); then
		case "$command $prev" in
@VALUES@		esac
		return
	fi
	if [[ $cur == -* && ($plain -eq 0 || $files -eq 0) ]]; then
		_weft_words "$options"
	elif [[ -n $arguments ]]; then
		_weft_words "$arguments"
	elif [[ $files -eq 1 ]]; then
		_weft_files
	fi
}

complete -F _weft weft yarn-session.sh
`

// bashCompletion writes the completion for bash.
func bashCompletion(all []*cli.Command) string {
	names := offered(all)
	var b, values strings.Builder
	b.WriteString(strings.Replace(bashHead, "@COMMANDS@", strings.Join(names, " "), 1))
	for _, name := range names {
		var valued, options []string
		for _, o := range shownOptions(name) {
			options = append(options, spellings(o)...)
			if o.arg == "" {
				continue
			}
			// Both lengths are read with either number of dashes.
			var patterns []string
			for _, n := range o.names {
				valued = append(valued, "-"+n, "--"+n)
				patterns = append(patterns, fmt.Sprintf(`"%s -%s" | "%s --%s"`, name, n, name, n))
			}
			if words, known := o.words(); known {
				do := "_weft_files"
				if words != nil {
					do = fmt.Sprintf(`_weft_words "%s"`, strings.Join(words, " "))
				}
				fmt.Fprintf(&values, "\t\t%s) %s ;;\n", strings.Join(patterns, " | "), do)
			}
		}
		files := 0
		if arguments(name) == nil {
			files = 1
		}
		fmt.Fprintf(&b, "\t%s)\n\t\tvalued=\"%s\"\n\t\toptions=\"%s\"\n\t\targuments=\"%s\"\n\t\tfiles=%d\n\t\t;;\n",
			name, strings.Join(valued, " "), strings.Join(options, " "), strings.Join(arguments(name), " "), files)
	}
	b.WriteString(strings.Replace(bashTail, "@VALUES@", values.String(), 1))
	return strings.Replace(b.String(), "local valued options arguments\n", "local valued options arguments files=0\n", 1)
}

const zshHead = `#compdef weft yarn-session.sh
# Completion of weft for zsh, made by: weft completion zsh
# Use it in this shell:   source <(weft completion zsh)
# In every shell:         weft completion zsh > a file _weft in a directory of $fpath

_weft() {
	local -a commands arguments
	local command
	commands=(
@COMMANDS@	)
	if [[ ${words[1]:t} == yarn-session.sh ]]; then
		command=yarn-session
	elif ((CURRENT == 2)); then
		_describe -t commands command commands
		return
	else
		command=${words[2]}
		shift words
		((CURRENT--))
	fi
	case $command in
`

const zshTail = `	*) return 1 ;;
	esac
	_arguments "${arguments[@]}"
}

if [[ ${funcstack[1]} == _weft ]]; then
	_weft "$@"
else
	compdef _weft weft yarn-session.sh
fi
`

// zshQuote writes a word in single quotes.
func zshQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// zshText writes a description: brackets and colons end one.
func zshText(text string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`, `\`, `\\`).Replace(text)
}

// zshCompletion writes the completion for zsh.
func zshCompletion(all []*cli.Command) string {
	names := offered(all)
	var b, commands strings.Builder
	for _, name := range names {
		fmt.Fprintf(&commands, "\t\t%s\n", zshQuote(name+":"+zshText(helps[name].about)))
	}
	b.WriteString(strings.Replace(zshHead, "@COMMANDS@", commands.String(), 1))
	for _, name := range names {
		fmt.Fprintf(&b, "\t%s)\n\t\targuments=(\n", name)
		for _, o := range shownOptions(name) {
			for _, spelled := range spellings(o) {
				fmt.Fprintf(&b, "\t\t\t%s\n", zshQuote("*"+spelled+"["+zshText(o.doc)+"]"+o.zshValue()))
			}
		}
		switch words := arguments(name); {
		case words == nil && name != "init":
			// The job's own arguments follow the job.
			b.WriteString("\t\t\t'1:job:_files'\n\t\t\t'*::argument:_files'\n")
		case words == nil:
			b.WriteString("\t\t\t'1:directory:_files -/'\n")
		case len(words) > 0:
			fmt.Fprintf(&b, "\t\t\t'1:argument:(%s)'\n", strings.Join(words, " "))
		}
		b.WriteString("\t\t)\n\t\t;;\n")
	}
	return b.String() + zshTail
}

// zshValue is the part of a specification that says what follows an option.
func (o option) zshValue() string {
	if o.arg == "" {
		return ""
	}
	action := " "
	if words, known := o.words(); known {
		action = "_files"
		if words != nil {
			action = "(" + strings.Join(words, " ") + ")"
		}
	}
	return ":" + zshText(o.arg) + ":" + action
}
