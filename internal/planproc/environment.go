package planproc

import "maps"

// passedOn are the variables of a job's starter that workers get, if set (W2): what decides how text is read and written. Others
// are given by containerized.taskmanager.env.NAME.
var passedOn = []string{"LANG", "LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_NUMERIC", "TZ"}

// Environment is what the workers of a job get of its starter's environment, and configured, which wins.
func Environment(getenv func(string) string, configured map[string]string) map[string]string {
	out := map[string]string{}
	for _, k := range passedOn {
		if v := getenv(k); v != "" {
			out[k] = v
		}
	}
	maps.Copy(out, configured)
	return out
}
