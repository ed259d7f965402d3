// Package identity is a driver: who a process is towards Hadoop, and the delegation tokens that stand for it.
//
// FromEnvironment finds out who we are as every Hadoop client does: by Kerberos (a key table or the ticket cache), by the
// tokens of HADOOP_TOKEN_FILE_LOCATION, or on clusters that believe everybody by name. An Identity is given to all that
// speaks to Hadoop; when a process gets new tokens, Update hands them to all of it (Follow), without a restart.
//
// Collect gets the delegation tokens that an application needs: one for each store that it uses, and the ResourceManager's.
package identity
