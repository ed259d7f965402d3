package yarnrpc

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/internal/hadoop/krb"
	"github.com/weft-project/weft/internal/hadoop/rpc"
	"github.com/weft-project/weft/internal/hadoop/sasl"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// The interfaces of YARN's servers.
var (
	clientProtocol    = rpc.Protocol{Name: "org.apache.hadoop.yarn.api.ApplicationClientProtocolPB", Version: 1}
	masterProtocol    = rpc.Protocol{Name: "org.apache.hadoop.yarn.api.ApplicationMasterProtocolPB", Version: 1}
	containerProtocol = rpc.Protocol{Name: "org.apache.hadoop.yarn.api.ContainerManagementProtocolPB", Version: 1}
)

// maxPause is the longest pause between two attempts, whatever Hadoop's (long) retry intervals say: a ResourceManager that
// is back should be noticed at once.
const maxPause = 2 * time.Second

// Options are what the clients of this package have in common.
type Options struct {
	// RPC is shared with others when not nil; else the client makes its own and closes it.
	RPC *rpc.Client
	// User is who calls, for clusters without Kerberos.
	User string
	// Credentials are the tokens at hand; nil is none.
	Credentials *token.Credentials
	// Kerberos is the login on a secured cluster; nil is none.
	Kerberos *krb.Login
	// ProxyUser, when not empty, is for whom the user acts (HADOOP_PROXY_USER).
	ProxyUser string
	// Retry replaces the policy that the Hadoop configuration gives.
	Retry *rpc.Retry
	// OnRetry hears of each failed attempt that will be followed by another.
	OnRetry func(err error, wait time.Duration)
	// Log gets what happens on the way; nil logs nothing.
	Log *slog.Logger
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// RPCOptions reads the limits of connections from the Hadoop configuration.
func RPCOptions(conf *hadoopconf.Conf, log *slog.Logger) (rpc.Options, error) {
	o := rpc.Options{Log: log}
	var errs [4]error
	o.ConnectTimeout, errs[0] = conf.GetDuration("ipc.client.connect.timeout", 20*time.Second, time.Millisecond)
	o.CallTimeout, errs[1] = conf.GetDuration("ipc.client.rpc-timeout.ms", 120*time.Second, time.Millisecond)
	o.PingInterval, errs[2] = conf.GetDuration("ipc.ping.interval", 60*time.Second, time.Millisecond)
	o.MaxFrame, errs[3] = conf.GetInt("ipc.maximum.response.length", 128<<20)
	if !conf.GetBool("ipc.client.ping", true) {
		o.PingInterval = -1
	}
	// Hadoop reads 0 as "without limit"; a call that may hang for ever is not offered here.
	o.CallTimeout, o.ConnectTimeout = positive(o.CallTimeout), positive(o.ConnectTimeout)
	return o, errors.Join(errs[:]...)
}

// positive turns values that stand for "no limit" into the default.
func positive(d time.Duration) time.Duration { return max(d, 0) }

// connect gives the shared RPC client or a new one; close is what the caller must call at its end.
func (o Options) connect(conf *hadoopconf.Conf) (client *rpc.Client, closeClient func(), err error) {
	if o.RPC != nil {
		return o.RPC, func() {}, nil
	}
	ro, err := RPCOptions(conf, o.Log)
	if err != nil {
		return nil, nil, err
	}
	client = rpc.NewClient(ro)
	return client, client.Close, nil
}

// retry reads the policy from a pair of keys.
func (o Options) retry(conf *hadoopconf.Conf, waitKey string, wait time.Duration, intervalKey string, interval time.Duration) (rpc.Retry, error) {
	if o.Retry != nil {
		r := *o.Retry
		if r.OnRetry == nil {
			r.OnRetry = o.OnRetry
		}
		return r, nil
	}
	maxWait, err1 := conf.GetDuration(waitKey, wait, time.Millisecond)
	step, err2 := conf.GetDuration(intervalKey, interval, time.Millisecond)
	if err := errors.Join(err1, err2); err != nil {
		return rpc.Retry{}, err
	}
	if maxWait < 0 {
		maxWait = math.MaxInt64
	}
	step = max(min(step, maxPause), time.Millisecond)
	return rpc.Retry{MaxWait: maxWait, Interval: min(step, 200*time.Millisecond), MaxInterval: step, OnRetry: o.OnRetry}, nil
}

// security builds the identity towards one service.
func (o Options) security(conf *hadoopconf.Conf, tok *token.Token, principalKey string) (*rpc.Security, error) {
	protection, err := sasl.ParseProtection(conf.Get("hadoop.rpc.protection"))
	if err != nil {
		return nil, fmt.Errorf("hadoop configuration: hadoop.rpc.protection: %w", err)
	}
	s := &rpc.Security{User: o.User, ProxyUser: o.ProxyUser, Token: tok, Protection: protection}
	s.RefuseSimple = conf.Secure() && !conf.GetBool("ipc.client.fallback-to-simple-auth-allowed", false)
	if principalKey != "" && o.Kerberos != nil && conf.Secure() {
		s.Kerberos = o.Kerberos.Mechanism(krb.ServiceOf(conf.Get, principalKey, protection))
	}
	return s, nil
}

// resourceManagers gives the addresses of one service of all ResourceManagers.
func resourceManagers(conf *hadoopconf.Conf, pick func(hadoopconf.ResourceManager) string) ([]string, error) {
	rms, err := conf.ResourceManagers()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rm := range rms {
		out = append(out, pick(rm))
	}
	return out, nil
}

// resourceManagerName is what messages call the ResourceManager; Hadoop's default address is rarely meant.
func resourceManagerName(conf *hadoopconf.Conf) string {
	for _, key := range []string{"yarn.resourcemanager.hostname", "yarn.resourcemanager.address", "yarn.resourcemanager.scheduler.address", "yarn.resourcemanager.ha.enabled"} {
		if conf.IsSet(key) {
			return "ResourceManager"
		}
	}
	return "ResourceManager (neither yarn.resourcemanager.hostname nor .address is configured: is yarn-site.xml missing?)"
}

const (
	rmWaitKey     = "yarn.resourcemanager.connect.max-wait.ms"
	rmIntervalKey = "yarn.resourcemanager.connect.retry-interval.ms"
	nmWaitKey     = "yarn.client.nodemanager-connect.max-wait-ms"
	nmIntervalKey = "yarn.client.nodemanager-connect.retry-interval-ms"
)
