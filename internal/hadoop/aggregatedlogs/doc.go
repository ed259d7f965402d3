// Package aggregatedlogs is core: it reads the log files of ended containers out of what NodeManagers store of them when an
// application has ended (YARN's log aggregation), in both of Hadoop's formats: TFile, which is the default, and IFile.
//
// A stored file has the logs of all containers of an application on one node. Reading order: dirs.go (where stored files lie),
// read.go (which format a file has), tfile.go and bcfile.go, ifile.go and java.go (the index of an IFile is a serialised Java
// object). What is compressed with lzo is not read.
package aggregatedlogs
