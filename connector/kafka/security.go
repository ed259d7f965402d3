package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// security is how a client proves itself and what it believes.
type security struct {
	protocol, mechanism, jaas string
	trustFile, trust          string
	keyFile, key, chain       string
	// anyHost: a broker's certificate may have another name.
	anyHost bool
}

// options are those of a client.
func (s *security) options() ([]kgo.Opt, error) {
	var out []kgo.Opt
	if s.protocol == "SSL" || s.protocol == "SASL_SSL" {
		c, err := s.tls()
		if err != nil {
			return nil, err
		}
		out = append(out, kgo.DialTLSConfig(c))
	}
	if strings.HasPrefix(s.protocol, "SASL") {
		m, err := s.sasl()
		if err != nil {
			return nil, err
		}
		return append(out, kgo.SASL(m)), nil
	}
	if s.mechanism != "" || s.jaas != "" {
		return nil, fmt.Errorf("sasl.mechanism and sasl.jaas.config are given, but security.protocol is %q: expected SASL_SSL or SASL_PLAINTEXT", s.protocol)
	}
	return out, nil
}

func (s *security) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	pem, err := textOr(s.trust, s.trustFile, "ssl.truststore.location")
	if err != nil {
		return nil, err
	}
	if pem != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, fmt.Errorf("ssl.truststore.location %q has no certificate: expected a file in PEM", s.trustFile)
		}
	}
	chain, key := s.chain, s.key
	if s.keyFile != "" {
		if chain, err = textOr("", s.keyFile, "ssl.keystore.location"); err != nil {
			return nil, err
		}
		key = chain // Kafka has both in one file
	}
	if key != "" {
		pair, err := tls.X509KeyPair([]byte(chain), []byte(key))
		if err != nil {
			return nil, fmt.Errorf("ssl.keystore %q: %w: expected a private key without password and its certificates in PEM", s.keyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if s.anyHost {
		// The certificate is still checked, but for the name.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verified(state, c.RootCAs) }
	}
	return c, nil
}

// verified checks a chain of certificates, whatever name it is for.
func verified(state tls.ConnectionState, roots *x509.CertPool) error {
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}

func textOr(text, file, property string) (string, error) {
	if text != "" || file == "" {
		return text, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w: ship the file with the job, or correct its name", property, err)
	}
	return string(b), nil
}

// jaasOption is one name="value" of sasl.jaas.config.
var jaasOption = regexp.MustCompile(`([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))`)

// jaasOptions reads sasl.jaas.config.
func jaasOptions(config string) map[string]string {
	out := map[string]string{}
	for _, m := range jaasOption.FindAllStringSubmatch(config, -1) {
		out[m[1]] = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2]) + m[3]
	}
	return out
}

func (s *security) sasl() (sasl.Mechanism, error) {
	o := jaasOptions(s.jaas)
	if s.mechanism != "PLAIN" && !strings.HasPrefix(s.mechanism, "SCRAM") {
		return nil, fmt.Errorf("sasl.mechanism is %q: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.mechanism)
	}
	if o["username"] == "" || o["password"] == "" {
		return nil, fmt.Errorf(`sasl.jaas.config has no username and password: expected, for %s, ... required username="NAME" password="PASSWORD";`, s.mechanism)
	}
	auth := scram.Auth{User: o["username"], Pass: o["password"], IsToken: o["tokenauth"] == "true"}
	switch s.mechanism {
	case "SCRAM-SHA-256":
		return auth.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return auth.AsSha512Mechanism(), nil
	}
	return plain.Auth{User: auth.User, Pass: auth.Pass}.AsMechanism(), nil
}
