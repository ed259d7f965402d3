package hadoopconf

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// ResourceManager is one ResourceManager of the cluster; addresses are host:port.
type ResourceManager struct {
	// ID is the name in yarn.resourcemanager.ha.rm-ids, "" without high availability.
	ID string
	// Client is where applications are submitted (yarn.resourcemanager.address).
	Client string
	// Scheduler is where ApplicationMasters register (yarn.resourcemanager.scheduler.address).
	Scheduler string
	// Web is the web interface, by yarn.http.policy the https address or the http one.
	Web string
}

// ResourceManagers lists the ResourceManagers, several only with yarn.resourcemanager.ha.enabled.
func (c *Conf) ResourceManagers() ([]ResourceManager, error) {
	web, webPort := "yarn.resourcemanager.webapp.address", 8088
	if c.HTTPSOnly() {
		web, webPort = "yarn.resourcemanager.webapp.https.address", 8090
	}
	if !c.GetBool("yarn.resourcemanager.ha.enabled", false) {
		rm := ResourceManager{}
		for _, f := range []struct {
			to   *string
			key  string
			port int
		}{
			{&rm.Client, "yarn.resourcemanager.address", 8032},
			{&rm.Scheduler, "yarn.resourcemanager.scheduler.address", 8030},
			{&rm.Web, web, webPort},
		} {
			addr, err := c.hostPort(f.key, c.Get(f.key), f.port)
			if err != nil {
				return nil, err
			}
			*f.to = addr
		}
		return []ResourceManager{rm}, nil
	}
	ids := c.GetStrings("yarn.resourcemanager.ha.rm-ids")
	if len(ids) == 0 {
		return nil, fmt.Errorf("hadoop configuration: yarn.resourcemanager.ha.enabled is true but yarn.resourcemanager.ha.rm-ids is empty, expected the ids such as rm1,rm2")
	}
	var out []ResourceManager
	for _, id := range ids {
		rm := ResourceManager{ID: id}
		var err error
		if rm.Client, err = c.haAddress("yarn.resourcemanager.address", id, 8032); err != nil {
			return nil, err
		}
		if rm.Scheduler, err = c.haAddress("yarn.resourcemanager.scheduler.address", id, 8030); err != nil {
			return nil, err
		}
		if rm.Web, err = c.haAddress(web, id, webPort); err != nil {
			return nil, err
		}
		out = append(out, rm)
	}
	return out, nil
}

// HTTPSOnly tells whether YARN's web interfaces speak https only.
func (c *Conf) HTTPSOnly() bool { return strings.EqualFold(c.Get("yarn.http.policy"), "HTTPS_ONLY") }

// Secure tells whether the cluster asks for Kerberos.
func (c *Conf) Secure() bool {
	return strings.EqualFold(c.Get("hadoop.security.authentication"), "kerberos")
}

// haAddress is key.id, else yarn.resourcemanager.hostname.id with the default port.
func (c *Conf) haAddress(key, id string, port int) (string, error) {
	if v := c.Get(key + "." + id); v != "" {
		return c.hostPort(key+"."+id, v, port)
	}
	hostKey := "yarn.resourcemanager.hostname." + id
	if host := c.Get(hostKey); host != "" {
		return net.JoinHostPort(host, strconv.Itoa(port)), nil
	}
	return "", fmt.Errorf("hadoop configuration: ResourceManager %s of yarn.resourcemanager.ha.rm-ids has no address, expected %s.%s or %s", id, key, id, hostKey)
}

// hostPort completes an address by the default port. Addresses are "host:port", "host" or "[v6]:port".
func (c *Conf) hostPort(key, value string, port int) (string, error) {
	host, p, err := net.SplitHostPort(value)
	if err != nil {
		if value == "" || strings.Contains(value, ":") && net.ParseIP(value) == nil {
			return "", c.bad(key, value, "host:port")
		}
		return net.JoinHostPort(value, strconv.Itoa(port)), nil
	}
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 || host == "" {
		return "", c.bad(key, value, "host:port")
	}
	return value, nil
}

// NameNodes resolves the authority of an hdfs:// URI. For a logical name of dfs.nameservices it gives the addresses of its
// NameNodes (host:port, in the order of dfs.ha.namenodes.NAME) and logical=true; for a host it gives that host with its
// port, 8020 when none is given.
func (c *Conf) NameNodes(authority string) (addrs []string, logical bool, err error) {
	if authority == "" {
		return nil, false, fmt.Errorf("hadoop configuration: an hdfs URI without a host needs fs.defaultFS, which is %q (%s)", c.Get("fs.defaultFS"), c.Source("fs.defaultFS"))
	}
	nodes := c.GetStrings("dfs.ha.namenodes." + authority)
	for _, nn := range nodes {
		key := "dfs.namenode.rpc-address." + authority + "." + nn
		addr, err := c.hostPort(key, c.Get(key), 8020)
		if err != nil {
			return nil, true, fmt.Errorf("NameNode %s of dfs.ha.namenodes.%s: %w", nn, authority, err)
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) > 0 {
		return addrs, true, nil
	}
	// A name service without high availability is a logical name, too.
	if key := "dfs.namenode.rpc-address." + authority; c.Get(key) != "" {
		addr, err := c.hostPort(key, c.Get(key), 8020)
		return []string{addr}, true, err
	}
	addr, err := c.hostPort("hdfs authority", authority, 8020)
	return []string{addr}, false, err
}
