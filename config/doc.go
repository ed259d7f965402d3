// Package config is core: every option of Weft, declared once, and the layered configuration that holds their values.
//
// An option has a key (Flink's, where Flink has one), a type, a default, a unit, aliases and a paragraph; the reference
// page is made of these declarations. A Config holds text by key in layers: configuration file < command line < program
// (what the job's main sets). Reading goes through the typed options, so a value is parsed by one rule everywhere.
//
// Values are written as Flink's: memory sizes "1024m", "2 gb", bare numbers are bytes; durations "10 s", "5min", "PT10S",
// bare numbers are milliseconds; lists "a;b" or YAML lists; maps "k:v,k:v". Check reports all bad values at once. Unknown
// keys are kept and passed on, since jobs and file systems have keys of their own; a key that is nearly a known one is
// reported as a warning.
//
// docs/configuration.md is made of the declarations (reference.go) by go generate.
//
// The only I/O is in load.go, which finds and reads the configuration directory.
package config
