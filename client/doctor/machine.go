package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-project/weft/am/spec"
	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
)

// configuration looks which files and keys there are. Without a Hadoop configuration nothing else can be looked at.
func (e *examination) configuration(context.Context) bool {
	const check = "configuration"
	if e.ConfDir == "" {
		e.ok(check, "Weft: no configuration file, defaults and the command line hold")
	} else {
		e.ok(check, "Weft: %s, %d keys are set", e.ConfDir, len(e.Config.Keys()))
	}
	conf, err := e.Hadoop()
	if err != nil {
		e.wrong(CauseSettings, check, "", "Hadoop: %v", err)
		return false
	}
	e.hadoop = conf
	var keys []string
	for _, key := range []string{"fs.defaultFS", "yarn.resourcemanager.hostname", "yarn.resourcemanager.address", "yarn.resourcemanager.ha.rm-ids", "hadoop.security.authentication", "hadoop.rpc.protection"} {
		if conf.IsSet(key) {
			keys = append(keys, fmt.Sprintf("%s=%s (%s)", key, conf.Get(key), filepath.Base(conf.Source(key))))
		}
	}
	e.ok(check, "Hadoop: %s: %s", strings.Join(conf.Files(), ", "), strings.Join(keys, ", "))
	goesOn := true
	if scheme, _, _ := fs.SplitURI(conf.Get("fs.defaultFS")); scheme != "hdfs" && config.Get(e.Config, config.StagingDirectory) == "" {
		e.wrong(CauseSettings, check, "take the cluster's core-site.xml, or set yarn.staging-directory",
			"fs.defaultFS is %q (%s), not an HDFS that the cluster's machines share", conf.Get("fs.defaultFS"), conf.Source("fs.defaultFS"))
	}
	switch rms, err := conf.ResourceManagers(); {
	case err != nil:
		e.wrong(CauseSettings, check, "take the cluster's yarn-site.xml", "%v", err)
		goesOn = false
	case slices.ContainsFunc([]string{rms[0].Client}, func(a string) bool { return strings.HasPrefix(a, "0.0.0.0:") }):
		e.wrong(CauseSettings, check, "take the cluster's yarn-site.xml: is it missing in the directory?",
			"no ResourceManager is configured: neither yarn.resourcemanager.hostname nor yarn.resourcemanager.address is set")
	}
	if sizes, err := spec.ContainerSizes(e.Config, conf); err != nil {
		e.wrong(CauseSettings, check, "", "%v", err)
	} else {
		e.sizes = sizes
	}
	return goesOn
}

// hosts are the names that the configuration speaks of, by what they are for.
func (e *examination) hosts() (names []string, purpose map[string]string) {
	purpose = map[string]string{}
	add := func(address, what string) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || host == "" || host == "0.0.0.0" {
			return
		}
		if purpose[host] == "" {
			names = append(names, host)
		}
		purpose[host] = what
	}
	if rms, err := e.hadoop.ResourceManagers(); err == nil {
		for _, rm := range rms {
			add(rm.Client, "ResourceManager")
		}
	}
	for _, address := range e.nameNodes() {
		add(address, "NameNode")
	}
	return names, purpose
}

// nameNodes are the addresses of the default file system's NameNodes; none where it is no HDFS.
func (e *examination) nameNodes() []string {
	scheme, authority, _ := fs.SplitURI(e.hadoop.Get("fs.defaultFS"))
	if scheme != "hdfs" {
		return nil
	}
	addrs, _, err := e.hadoop.NameNodes(authority)
	if err != nil {
		return nil
	}
	return addrs
}

// names looks the names up that the configuration speaks of, and this machine's own.
func (e *examination) names(ctx context.Context) bool {
	const check = "names"
	resolve := func(host string) ([]string, error) {
		ctx, cancel := e.asking(ctx)
		defer cancel()
		return e.LookupHost(ctx, host)
	}
	if own, err := os.Hostname(); err == nil {
		if _, err := resolve(own); err != nil {
			e.warn(check, "add it to DNS or /etc/hosts", "this machine's own name %s has no address: %v", own, err)
		}
	}
	hosts, purpose := e.hosts()
	var found []string
	for _, host := range hosts {
		addrs, err := resolve(host)
		if err != nil {
			e.wrong(CauseSettings, check, "is the name spelled right, and does this machine use the cluster's DNS or have it in /etc/hosts?",
				"%s %s has no address: %v", purpose[host], host, lookupReason(err))
			continue
		}
		slices.Sort(addrs)
		found = append(found, fmt.Sprintf("%s is %s", host, strings.Join(slices.Compact(addrs), ", ")))
	}
	if len(found) > 0 {
		e.ok(check, "%s", strings.Join(found, "; "))
	}
	return true
}

func lookupReason(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	return err.Error()
}

// ports looks at the ranges that are configured. On YARN they are for the nodes; this machine can only be looked at as an example
// of one, and for what it would serve itself.
func (e *examination) ports(ctx context.Context) bool {
	const check = "ports"
	any := true
	for _, o := range []*config.Option[config.PortRange]{config.RESTBindPort, config.JobManagerPorts} {
		ports := config.Get(e.Config, o)
		if len(ports) == 0 || slices.Contains(ports, 0) {
			continue
		}
		any = false
		taken := e.taken(ctx, ports)
		switch {
		case len(ports) == 1:
			e.warn(check, "give a range, such as "+strconv.Itoa(ports[0])+"-"+strconv.Itoa(min(ports[0]+100, 65535)),
				"%s is the one port %d (%s): a second JobManager on the same node could not start", o.Key, ports[0], e.Config.Source(o.Key))
		case len(taken) == len(ports):
			e.warn(check, "choose ports that other programs leave alone", "%s: all %d ports from %d to %d are taken on this machine; is it so on the nodes too?",
				o.Key, len(ports), ports[0], ports[len(ports)-1])
		default:
			e.ok(check, "%s: %d of %d ports are free on this machine; a firewall must let this machine reach them on the nodes", o.Key, len(ports)-len(taken), len(ports))
		}
	}
	if any {
		e.ok(check, "any free one: rest.bind-port and yarn.application-master.port are not limited; a firewall must let this machine reach the nodes")
	}
	return true
}

// mostPorts bounds how many ports of a range are tried.
const mostPorts = 200

// taken tries the ports of a range.
func (e *examination) taken(ctx context.Context, ports []int) (taken []int) {
	var listen net.ListenConfig
	for _, port := range ports[:min(len(ports), mostPorts)] {
		l, err := listen.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
		if err != nil {
			taken = append(taken, port)
			continue
		}
		_ = l.Close() // it has accepted nothing
	}
	return taken
}
