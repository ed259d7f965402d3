package yarnrpc

import "testing"

// The rolled aggregation of logs is asked for with both patterns, and only with the first.
func TestRolledLogs(t *testing.T) {
	for _, tt := range []struct{ include, exclude string }{{"", ""}, {"", "x"}, {".*log", ""}, {".*log", ".*out"}} {
		p, err := Submission{RolledLogs: tt.include, RolledLogsExclude: tt.exclude}.proto()
		if err != nil {
			t.Fatal(err)
		}
		got := p.GetLogAggregationContext()
		if (got == nil) != (tt.include == "") || got != nil && (got.GetRolledLogsIncludePattern() != tt.include || got.GetRolledLogsExcludePattern() != tt.exclude) {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
