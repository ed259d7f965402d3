package config

import "fmt"

const sectionKerberos = "Kerberos"

// Who we are on a secured cluster, and the delegation tokens of applications.
var (
	KerberosKeytab = text(sectionKerberos, "security.kerberos.login.keytab", "",
		"Key table with which to log in, in the place of the ticket that kinit got. With one, applications get new tokens as long as they run. Also KERBEROS_KEYTAB.",
		alias("security.keytab"))
	KerberosPrincipal = text(sectionKerberos, "security.kerberos.login.principal", "",
		"Principal of the key table, or whose ticket it must be. Also KERBEROS_PRINCIPAL.", alias("security.principal"))
	KerberosTicketCache = boolean(sectionKerberos, "security.kerberos.login.use-ticket-cache", "true",
		"Whether the ticket cache of kinit (KRB5CCNAME) is looked at where there is no key table.")
	Krb5ConfPath = text(sectionKerberos, "security.kerberos.krb5-conf.path", "",
		"krb5.conf to read in the place of KRB5_CONFIG, /etc/krb5.conf and /usr/local/etc/krb5.conf; it goes to the JobManager's container with the key table, and must name all it needs itself (no include).")
	KerberosFileSystems = text(sectionKerberos, "security.kerberos.access.hadoopFileSystems", "",
		"Further file systems that jobs read or write, such as hdfs://other:8020, separated by semicolons or commas: applications get delegation tokens for them. Those of fs.defaultFS, "+
			"of yarn.staging-directory and of any other setting that begins with hdfs:// need not be named.",
		alias("yarn.security.kerberos.additionalFileSystems"))
	DelegationTokens = boolean(sectionKerberos, "security.delegation.tokens.enabled", "true",
		"Whether delegation tokens are got for applications, and got anew by them; without it they have those of HADOOP_TOKEN_FILE_LOCATION alone.",
		alias("security.kerberos.fetch.delegation-token"))
	TokenRenewalRatio = declare("Double", parseRatio, sectionKerberos, "security.delegation.tokens.renewal.time-ratio", "0.75",
		"The part of the tokens' life, above 0 and below 1, after which an application with a key table renews them or gets new ones.",
		alias("security.kerberos.tokens.renewal.time-ratio"))
	TokenRenewalBackoff = duration(sectionKerberos, "security.delegation.tokens.renewal.retry.backoff", "1 h",
		"The longest pause after tokens could not be got before it is tried again.", alias("security.kerberos.tokens.renewal.retry.backoff"))
	ShipKeytab = boolean(sectionKerberos, "yarn.security.kerberos.ship-local-keytab", "true",
		"Whether the key table goes to the JobManager's container, as a private file. TaskManagers and workers never get it.")
	LocalizedKeytab = text(sectionKerberos, "yarn.security.kerberos.localized-keytab-path", "krb5.keytab",
		"The key table's name in the JobManager's container; with yarn.security.kerberos.ship-local-keytab: false its path on all nodes.")
)

// parseRatio reads a part of something.
func parseRatio(text string) (float64, error) {
	v, err := parseFloat(text)
	if err == nil && (v <= 0 || v >= 1) {
		err = fmt.Errorf("%v is out of bounds; expected more than 0 and less than 1", v)
	}
	return v, err
}
