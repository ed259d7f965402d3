package devcluster

import (
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// rmWebHost is the address of the ResourceManager's web server, and of YARN's web proxy in it, on a secured cluster.
const rmWebHost = "127.0.0.2"

// authToLocal maps principals to users: services to the users that administrators usually give them.
const authToLocal = `RULE:[2:$1@$0](nn@WEFT\.TEST)s/.*/hdfs/
RULE:[2:$1@$0](dn@WEFT\.TEST)s/.*/hdfs/
RULE:[2:$1@$0](rm@WEFT\.TEST)s/.*/yarn/
RULE:[2:$1@$0](nm@WEFT\.TEST)s/.*/yarn/
RULE:[1:$1@$0](.*@WEFT\.TEST)s/@.*//
RULE:[1:$1@$0](.*@PARTNER\.TEST)s/@.*//
DEFAULT`

// secure adds to the configuration what a secured cluster has.
func secure(dir string, base int, k *Kerberos, files map[string]props) {
	keytab := filepath.Join(dir, "kerberos", "services.keytab")
	core, hdfs, yarn := files[coreSite], files[hdfsSite], files[yarnSite]
	service := func(p props, principalKey, keytabKey, name string) {
		p[principalKey], p[keytabKey] = name+"/_HOST@"+Realm, keytab
	}
	core["hadoop.security.authentication"] = "kerberos"
	core["hadoop.security.authorization"] = "true"
	core["hadoop.rpc.protection"] = k.Protection
	core["hadoop.security.auth_to_local"] = authToLocal
	core["hadoop.user.group.static.mapping.overrides"] = "owner=weavers,staff;other=staff;guest=visitors;gateway=;hdfs=hdfs;yarn=hadoop;dr.who="
	core["hadoop.proxyuser.gateway.hosts"] = "*"
	core["hadoop.proxyuser.gateway.users"] = "*"
	// With tickets of minutes a minute between two log-ins, the default, is too long.
	core["hadoop.kerberos.min.seconds.before.relogin"] = "1"
	core["hadoop.http.filter.initializers"] = "org.apache.hadoop.security.AuthenticationFilterInitializer"
	core["hadoop.http.authentication.type"] = "kerberos"
	core["hadoop.http.authentication.kerberos.principal"] = "*" // every HTTP/… of the key table
	core["hadoop.http.authentication.kerberos.keytab"] = keytab
	core["hadoop.http.authentication.signature.secret.file"] = filepath.Join(dir, "kerberos", "http-secret")

	service(hdfs, "dfs.namenode.kerberos.principal", "dfs.namenode.keytab.file", "nn")
	service(hdfs, "dfs.datanode.kerberos.principal", "dfs.datanode.keytab.file", "dn")
	service(hdfs, "dfs.web.authentication.kerberos.principal", "dfs.web.authentication.kerberos.keytab", "HTTP")
	hdfs["dfs.namenode.kerberos.internal.spnego.principal"] = "HTTP/_HOST@" + Realm
	hdfs["dfs.block.access.token.enable"] = "true"
	hdfs["dfs.data.transfer.protection"] = k.Protection
	hdfs["dfs.datanode.hostname"] = "localhost"
	hdfs["dfs.namenode.delegation.token.renew-interval"] = millis(k.TokenRenew)
	hdfs["dfs.namenode.delegation.token.max-lifetime"] = millis(k.TokenLife)

	service(yarn, "yarn.resourcemanager.principal", "yarn.resourcemanager.keytab", "rm")
	service(yarn, "yarn.nodemanager.principal", "yarn.nodemanager.keytab", "nm")
	service(yarn, "yarn.resourcemanager.webapp.spnego-principal", "yarn.resourcemanager.webapp.spnego-keytab-file", "HTTP")
	service(yarn, "yarn.nodemanager.webapp.spnego-principal", "yarn.nodemanager.webapp.spnego-keytab-file", "HTTP")
	// Its web server listens at an address and is known by name.
	yarn["yarn.nodemanager.webapp.spnego-principal"] = "*"
	delete(yarn, "yarn.resourcemanager.bind-host") // else the web server has the others' address
	yarn["yarn.resourcemanager.webapp.address"] = rmWebHost + ":" + strconv.Itoa(base+portRMWeb)
	yarn["yarn.resourcemanager.delegation.token.renew-interval"] = millis(k.TokenRenew)
	yarn["yarn.resourcemanager.delegation.token.max-lifetime"] = millis(k.TokenLife)
	yarn["yarn.acl.enable"] = "true"
	yarn["yarn.admin.acl"] = "yarn," + superuser
	// Containers find the realms: the default list and KRB5_CONFIG.
	yarn["yarn.nodemanager.env-whitelist"] = "JAVA_HOME,HADOOP_COMMON_HOME,HADOOP_HDFS_HOME,HADOOP_CONF_DIR,CLASSPATH_PREPEND_DISTCACHE," +
		"HADOOP_YARN_HOME,HADOOP_HOME,PATH,LANG,TZ,KRB5_CONFIG"
	// By default everybody may end everybody's applications.
	files[capacityScheduler]["yarn.scheduler.capacity.root.acl_administer_queue"] = "yarn," + superuser
	files[capacityScheduler]["yarn.scheduler.capacity.root.acl_submit_applications"] = "*"
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// secureFlags are options of the JVM of a secured daemon or, without a kind, of a client program.
func (c *Cluster) secureFlags(kind daemonKind) []string {
	if c.state.Kerberos == nil {
		return nil
	}
	hosts := "hosts"
	if kind == kindResourceManager {
		hosts = "hosts-web"
	}
	return []string{
		"-Djava.security.krb5.conf=" + c.Krb5Conf(),
		"-Djdk.net.hosts.file=" + c.path("kerberos", hosts),
		"-Dsun.security.krb5.disableReferrals=true",
	}
}

// secureDaemonFlags are settings of one secured daemon, as -D arguments of its main class.
func (c *Cluster) secureDaemonFlags(d daemonName) []string {
	if c.state.Kerberos == nil || d.kind == kindKDC || d.kind == kindKDCAhead {
		return nil
	}
	var flags []string
	if c.state.Kerberos.AnyProtection {
		flags = []string{"-Dhadoop.rpc.protection=" + anyProtection, "-Ddfs.data.transfer.protection=" + anyProtection}
	}
	if d.kind != kindDataNode {
		return flags
	}
	// A DataNode wants a privileged port, or https beside SASL; the protocol under test does not change by plain http.
	return append(flags, fmt.Sprintf("-D%s=true", "ignore.secure.ports.for.testing"))
}
