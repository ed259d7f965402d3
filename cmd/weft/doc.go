// Command weft is a driver: the one binary of Weft, client and processes.
//
// main.go sets up the process and maps errors to exit codes; commands.go is the command tree; options.go and parse.go are the
// options and their parser, which follows Commons CLI as Flink's users know it; the commands' work is in package client,
// the processes' in am, jobmanager and taskexec.
package main
