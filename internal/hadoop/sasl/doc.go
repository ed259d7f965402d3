// Package sasl is a core: the client side of the SASL mechanisms that Hadoop uses, without any I/O.
//
// DIGEST-MD5 (RFC 2831) is how every token authenticates, on insecure clusters too: an ApplicationMaster can talk neither to
// the ResourceManager's scheduler port nor to a NodeManager without it. The user name is the token's identifier and the password
// the token's password, both in base64; realm "default", digest-uri "/default". All three levels of protection work, with
// the ciphers rc4 and 3des. MD5, RC4 and triple DES are weak; they are what Hadoop's protocol has.
//
// GSSAPI (RFC 4752) is Kerberos, with a ticket that package krb gets: the server proves itself first (AP-REP), then messages are
// signed or sealed with AES (RFC 4121). Ciphers and messages are gokrb5's; tokens, proof and negotiation are ours, because it has
// no sealed tokens and checks no proof.
package sasl
