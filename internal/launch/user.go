package launch

import (
	"os"
	"os/user"
	"strconv"
)

func osUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
