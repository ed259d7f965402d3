// Package hdfsha is a driver: the high-availability store of package ha in a file system, HDFS or a local or shared directory.
//
// A cluster is one folder (docs/formats/ha.md). In it is exactly one folder publishing-EPOCH: its name is the epoch, and renaming it to
// the next epoch's name is at once the next leader's election, the allocation of its epoch and the fence for the one
// before (F4), in one transaction of the NameNode. A leader writes below its own publishing folder and publishes by renaming from
// there, removes by renaming into there, and shows that it lives by touching a file in there: all of that fails from the moment on at
// which the folder has another name. Nothing a leader does would make a missing folder again.
//
// Who may rename it: a later attempt when YARN has said that the earlier ones have ended ([ha.Candidate].Supersedes); anybody when the
// leader has resigned or was deposed; else who has seen the leader's file untouched for its whole lease.
//
// A call the answer to which was lost may be carried out later. Before the next change its effect is made impossible: a value not
// yet published is removed, the name that a removed value would get is taken.
package hdfsha
