// Package krb is a driver: the Kerberos login of a Hadoop client.
//
// Open finds out who we are: from a key table, or from the ticket cache that kinit wrote (FILE and DIR). A Login gets tickets
// for services from KDCs (over TCP), across realms too, and keeps them; the ticket-granting ticket is renewed, or fetched anew
// with the key table, before it ends, on use and by Keep. Login.Mechanism is what rpc.Security.Kerberos takes.
//
//	login, err := krb.Open(options)                           // options from FromSettings
//	service := krb.ServiceOf(conf.Get, "dfs.namenode.kerberos.principal", protection)
//	security := &rpc.Security{Kerberos: login.Mechanism(service), Protection: protection, RefuseSimple: true}
//
// Messages and ciphers are gokrb5's; its client is not used: it can not be cancelled, reads no include of krb5.conf and no
// DIR cache, and says little about what went wrong. Here every error is one sentence that names the principal and what to do
// next; errors.Is tells the kinds apart (errors.go).
//
// In HTTP the same tickets go as Negotiate (SPNEGO): Login.Authorization for clients, Acceptor for servers (it fits rest.Identifier).
//
// The server's principal is always what the Hadoop configuration says (service.go): the server's own word only picks among
// the names that the configuration allows.
package krb
