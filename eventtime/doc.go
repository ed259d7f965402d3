// Package eventtime is core: what time means to a job. Watermarks of several inputs become one (valve.go), timestamps become
// watermarks (progress.go), those of several splits of a source one again (splits.go), and timestamps fall into windows
// (window.go). Nothing here reads a clock.
//
// Times are milliseconds since the epoch. A watermark of t says that no record with a timestamp of t or less is to come;
// whatever comes nevertheless is late.
package eventtime
