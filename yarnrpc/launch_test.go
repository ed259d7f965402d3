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

// Tokens that others use too are not cancelled with the application; the ResourceManager cancels them unless it is told.
func TestTokensOfOthersAreKept(t *testing.T) {
	for _, keep := range []bool{false, true} {
		p, err := Submission{KeepTokens: keep}.proto()
		if err != nil || p.GetCancelTokensWhenComplete() == keep {
			t.Errorf("keep %v: cancelled with the application: %v, %v", keep, p.GetCancelTokensWhenComplete(), err)
		}
	}
}
