package spec

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/weft-project/weft/yarnrpc"
)

// Names of the files in the working directory of every container.
const (
	// Binary is the weft binary.
	Binary = "weft"
	// Config is the client's effective configuration, in the format of config.yaml.
	Config = "config.yaml"
	// Hadoop is the client's effective Hadoop configuration.
	Hadoop = "hadoop.xml"
	// Secret is the application's secret in hexadecimal; private.
	Secret = "secret"
)

// Files of the JobManager's container alone; those of the job in application mode.
const (
	// Job says what main is run with; private, since arguments may be.
	Job = "job.json"
	// JobBinary is the job's binary.
	JobBinary = "weft-job"
	// Krb5Conf is the krb5.conf that the configuration names, for a JobManager with a key table.
	Krb5Conf = "krb5.conf"
	// RESTKeytab has the keys of the HTTP principal, for a JobManager whose callers show tickets.
	RESTKeytab = "rest.keytab"
)

// EnvManifest is the variable that carries the manifest. It holds no secret.
const EnvManifest = "WEFT_APPLICATION"

// EnvUser names the user on clusters without Kerberos, as everywhere in Hadoop.
const EnvUser = "HADOOP_USER_NAME"

// File is one localised file.
type File struct {
	URL string `json:"url"`
	// Size in bytes, Modified in milliseconds since 1970: both as the file system says, YARN compares them.
	Size     int64 `json:"size"`
	Modified int64 `json:"modified"`
	Archive  bool  `json:"archive,omitempty"`
	// Private files are shared by all applications of their owner; others belong to one application.
	Private bool `json:"private,omitempty"`
}

// Resource gives what YARN wants to know.
func (f File) Resource() yarnrpc.LocalResource {
	r := yarnrpc.LocalResource{URL: f.URL, Size: f.Size, Modified: time.UnixMilli(f.Modified), Archive: f.Archive}
	if f.Private {
		r.Visibility = yarnrpc.VisibilityPrivate
	}
	return r
}

// Manifest says what the application consists of.
type Manifest struct {
	// Application is the id, for messages and for the names of directories.
	Application string `json:"application"`
	// User is the owner.
	User string `json:"user"`
	// Base is the URI of the .weft directory with blobs and references.
	Base string `json:"base"`
	// Files are localised for every container, by name.
	Files map[string]File `json:"files"`
	// Master are files of the JobManager's container alone.
	Master map[string]File `json:"master,omitempty"`
	// Version of the client.
	Version string `json:"version"`
}

// Shipped lists the names of the files that are the user's, not ours.
func (m *Manifest) Shipped() []string {
	var out []string
	for name := range m.Files {
		switch name {
		case Binary, Config, Hadoop, Secret:
		default:
			out = append(out, name)
		}
	}
	return out
}

// AddMaster adds a file of the JobManager's container alone.
func (m *Manifest) AddMaster(name string, f File) {
	if m.Master == nil {
		m.Master = map[string]File{}
	}
	m.Master[name] = f
}

// Encode writes the manifest for EnvManifest: in base64, since launch scripts put values between quotes and escape nothing.
func (m *Manifest) Encode() (string, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("manifest: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Decode reads what Encode wrote.
func Decode(text string) (*Manifest, error) {
	m := &Manifest{}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; is this process started by YARN for a Weft application?", EnvManifest, err)
	}
	for _, name := range []string{Binary, Config, Hadoop, Secret} {
		if m.Files[name].URL == "" {
			return nil, fmt.Errorf("%s: the file %s is missing", EnvManifest, name)
		}
	}
	if m.Base == "" || path.Base(m.Application) != m.Application {
		return nil, fmt.Errorf("%s: base %q, application %q", EnvManifest, m.Base, m.Application)
	}
	return m, nil
}

// MasterResources gives the files of the JobManager's container.
func (m *Manifest) MasterResources() map[string]yarnrpc.LocalResource {
	out := m.LocalResources()
	for name, f := range m.Master {
		out[name] = f.Resource()
	}
	return out
}

// LocalResources gives the files of a container.
func (m *Manifest) LocalResources() map[string]yarnrpc.LocalResource {
	out := map[string]yarnrpc.LocalResource{}
	for name, f := range m.Files {
		out[name] = f.Resource()
	}
	return out
}
