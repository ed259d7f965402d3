// Package files is a driver: files of lines, CSV and JSON as sources and sinks, on any FileSystem.
//
// Reading: the coordinator task plans splits (split.go), or discovers them in directories that are watched, and hands them to
// readers as they ask (source.go); a split owns the lines that start in it (lines.go), of which json.go and csv.go make records, by the
// columns of columns.go. Writing: each subtask writes one part under the job's scratch path; the coordinator
// publishes all of them by one rename when the last is complete (sink.go), so that an output is present only when
// complete, and a restarted attempt never meets the parts of an earlier one (F2).
package files
