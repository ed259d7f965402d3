#!/bin/sh
# The demonstration: demo.sh up starts a private Hadoop, a session on it and a word count of this project's own pages;
# demo.sh down ends them. Called by "make demo" and "make demo-down".
set -eu
cd "$(dirname "$0")/.."
dir=.devcluster
dist=build/dist
session=$dir/demo-session
tool=build/devcluster

say() { printf '\n== %s\n' "$*"; }

command -v go >/dev/null || { echo "Go is not on the PATH" >&2; exit 1; }
mkdir -p build
go build -o $tool ./scripts/devcluster

case ${1:-up} in
up)
	if $tool status -dir $dir >/dev/null 2>&1; then
		say "The private Hadoop in $dir is running already"
	else
		say "Starting a private Hadoop (the first time, its jars are fetched: about 90 MiB)"
		$tool up -dir $dir >/dev/null
	fi
	eval "$($tool env -dir $dir)"
	home=/user/$HADOOP_USER_NAME

	app=$(cat $session 2>/dev/null || true)
	if [ -n "$app" ] && $tool status -dir $dir | grep "^$app " | grep -q '(RUNNING)\|RUNNING ('; then
		say "The session $app is running already"
	else
		say "Starting a session: $dist/bin/yarn-session.sh -jm 1024 -tm 2048 -d"
		$dist/bin/yarn-session.sh -jm 1024 -tm 2048 -d | tee $dir/demo-session.out
		app=$(grep -o 'application_[0-9]*_[0-9]*' $dir/demo-session.out | tail -1)
		[ -n "$app" ] || { echo "the session did not start" >&2; exit 1; }
		echo "$app" >$session
	fi

	say "Putting this project's pages on HDFS, as $home/demo/text"
	find . -name '*.md' -not -path './build/*' -not -path './.*' -exec cat {} + >build/demo-text
	$tool put -dir $dir build/demo-text $home/demo/text
	$tool rm -dir $dir $home/demo/counts

	say "Counting words: $dist/bin/weft run $dist/examples/wordcount -input hdfs://$home/demo/text -output hdfs://$home/demo/counts"
	$dist/bin/weft run $dist/examples/wordcount -input "hdfs://$home/demo/text" -output "hdfs://$home/demo/counts"

	say "The ten most frequent words"
	$tool cat -dir $dir $home/demo/counts | sort -k2,2nr -k1,1 | head -10

	web=$($tool address -dir $dir rm-web)
	cat <<END

== It works. The session goes on; its page, through YARN's proxy:
   http://$web/proxy/$app/
   YARN's own page: http://$web/cluster

   Use it from this shell:
     eval "\$($tool env -dir $dir)"
     $dist/bin/weft list
     $dist/bin/weft run -p 2 $dist/examples/wordcount -input hdfs://$home/demo/text -output hdfs://$home/demo/counts2
     $tool ls -dir $dir $home/demo
   A job of your own:
     $dist/bin/weft init my-job
   End it all:
     make demo-down
END
	;;
down)
	if ! $tool status -dir $dir >/dev/null 2>&1; then
		echo "no demonstration is running"
		exit 0
	fi
	eval "$($tool env -dir $dir)"
	app=$(cat $session 2>/dev/null || true)
	if [ -n "$app" ]; then
		echo stop | $dist/bin/yarn-session.sh -id "$app" >/dev/null 2>&1 || echo "the session $app had ended before"
		rm -f $session
	fi
	$tool down -dir $dir
	;;
*)
	echo "usage: demo.sh up|down" >&2
	exit 2
	;;
esac
