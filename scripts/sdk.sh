#!/bin/sh
# Writes the module's sources, as far as jobs need them to build, into a folder: sdk.sh DIR.
# Files for other platforms are among them, tests and this repository's own tools are not.
set -eu
out=$1
rm -rf "$out.new"
mkdir -p "$out.new"
root=$(pwd -P)
module=$(go list -m)
packages=$(go list ./... | grep -v -E "^$module/(cmd|bench|examples|scripts|internal/(acceptance|await|devcluster|kafkatest|lint|protogen|randomjob|zookeepertest))(/|\$)")
go list -f '{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .IgnoredGoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}' $packages |
	sed -e '/^$/d' -e '/_test\.go$/d' -e "s,^$root/,," >"$out.new/.files"
cp go.mod go.sum "$out.new/"
tar -cf - -T "$out.new/.files" | tar -xf - -C "$out.new"
rm "$out.new/.files"
rm -rf "$out"
mv "$out.new" "$out"
