// Package access is a driver: who callers of a JobManager's REST server are and what they may do, from the cluster's
// configuration. Rights reads the lists of users and groups and asks HDFS for groups; Identifier knows callers by their Kerberos
// tickets (security.rest.auth: kerberos). Both are for rest.Options.
package access
