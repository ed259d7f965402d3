package client

import (
	"errors"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/internal/fs"
	hadoopconf "github.com/weft-project/weft/internal/hadoop/conf"
)

// Files gives the file systems of the command's user, made at the first call. Without a Hadoop configuration they are those of this
// machine, and HDFS by host and port.
func (c *Client) Files() (*fs.Registry, error) {
	files, err := c.files()
	if !errors.Is(err, hadoopconf.ErrNoConfiguration) {
		return files, err
	}
	conf := hadoopconf.New(c.Getenv)
	for k, v := range c.Config.WithPrefix("flink.hadoop.") {
		conf.Set(k, v)
	}
	who, err := c.identityOn(conf)
	if err != nil {
		return nil, err
	}
	if files, err = c.OpenFiles(conf, who, c.Log); err != nil {
		return nil, &Failure{ExitUsage, err}
	}
	if scheme := config.Get(c.Config, config.DefaultScheme); scheme != "" {
		files.SetDefault(scheme)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stores = files
	return files, nil
}
