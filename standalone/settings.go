package standalone

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
	"github.com/weft-project/weft/security"
	"github.com/weft-project/weft/security/identity"
)

// Options of the processes.
type Options struct {
	// Config is the cluster's, with what the command line says; ConfDir is where it was read, and has the secret.
	Config  *config.Config
	ConfDir string
	Getenv  func(string) string
	// Name is that of the process's log, without its ending; LogDir is its directory.
	Name, LogDir string
	// Host and WebPort, when set, win over the configuration.
	Host    string
	WebPort int
	// OpenFiles makes the file systems for a Hadoop configuration and who uses them.
	OpenFiles func(conf *hadoopconf.Conf, who *identity.Identity, log *slog.Logger) (*fs.Registry, error)
	Log       *slog.Logger
	// Job is what a JobManager runs that is there for one main; nil for one that takes jobs.
	Job *Job
	// Ready is called when the process can do its work.
	Ready func()

	Version, Revision string
}

// localhost is where a cluster runs that nothing else is said about.
const localhost = "localhost"

// jobManagerHost is where the JobManager is: as configured, else in conf/masters, else here.
func jobManagerHost(c *config.Config, confDir string) (string, error) {
	if host := config.Get(c, config.JobManagerAddress); host != "" {
		return host, nil
	}
	masters, err := config.Masters(confDir)
	if err != nil || len(masters) == 0 {
		return localhost, err
	}
	host, _ := splitMaster(masters[0])
	return host, nil
}

// splitMaster takes a line of conf/masters apart; port is empty when it has none.
func splitMaster(line string) (host, port string) {
	if h, p, err := net.SplitHostPort(line); err == nil {
		return h, p
	}
	return line, ""
}

// Secret reads the cluster's secret from the configuration directory; create makes one where there is none.
func Secret(confDir string, create bool) (security.Secret, error) {
	if confDir == "" {
		return nil, errors.New("there is no configuration directory for the cluster's secret: set WEFT_CONF_DIR")
	}
	path := filepath.Join(confDir, config.SecretFile)
	secret, err := security.ReadSecretFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return secret, err
	}
	if !create {
		return nil, fmt.Errorf("%s does not exist: the JobManager makes it when it is started first; copy it here with the rest of the configuration, mode 0600", path)
	}
	// Two processes that are started at once must not make two: the file appears under its name once.
	draft, err := os.CreateTemp(confDir, ".secret.*")
	if err != nil {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	defer os.Remove(draft.Name())
	if err := draft.Close(); err != nil {
		return nil, err
	}
	if err := security.WriteSecretFile(draft.Name(), security.NewSecret()); err != nil {
		return nil, err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("secret file: %w", err)
	}
	return security.ReadSecretFile(path)
}

// tempDir is the directory for temporary files.
func tempDir(c *config.Config) string {
	dirs := strings.FieldsFunc(config.Get(c, config.TempDirs), func(r rune) bool { return r == ',' || r == '|' || r == ';' })
	for _, d := range dirs {
		if d = strings.TrimSpace(d); d != "" {
			return d
		}
	}
	return os.TempDir()
}

// hadoop reads the Hadoop configuration. Where there is none a cluster works on local files, and on HDFS by full URIs.
func (o *Options) hadoop() (*hadoopconf.Conf, error) {
	return HadoopIfAny(o.Config, o.Getenv)
}

// HadoopIfAny reads the Hadoop configuration, and gives an empty one where none is named.
func HadoopIfAny(c *config.Config, getenv func(string) string) (*hadoopconf.Conf, error) {
	conf, err := hadoopconf.Load(func(name string) string {
		v := getenv(name)
		if v == "" && name == "HADOOP_CONF_DIR" {
			v = config.Get(c, config.HadoopConfDir)
		}
		return v
	})
	if errors.Is(err, hadoopconf.ErrNoConfiguration) && getenv("HADOOP_CONF_DIR") == "" && config.Get(c, config.HadoopConfDir) == "" {
		conf, err = hadoopconf.New(getenv), nil
	}
	if err != nil {
		return nil, err
	}
	for k, v := range c.WithPrefix("flink.hadoop.") {
		conf.Set(k, v)
	}
	return conf, nil
}

// userName is who Hadoop sees where it has no Kerberos, and who the files of this process are named after.
func (o *Options) userName() string {
	if name := o.Getenv("HADOOP_USER_NAME"); name != "" {
		return name
	}
	return osUser()
}

func osUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return filepath.Base(u.Username)
	}
	return strconv.Itoa(os.Getuid())
}

// openFiles makes the file systems. Paths without a scheme are on fs.default-scheme, else fs.defaultFS, else this machine.
func (o *Options) openFiles(conf *hadoopconf.Conf, who *identity.Identity) (*fs.Registry, error) {
	files, err := o.OpenFiles(conf, who, o.Log)
	if err != nil {
		return nil, err
	}
	if scheme := config.Get(o.Config, config.DefaultScheme); scheme != "" {
		files.SetDefault(scheme)
	}
	return files, nil
}
