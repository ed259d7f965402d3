package worker_test

import (
	"testing"
	"time"

	"github.com/weft-project/weft/rpc/controlpb"
)

// Hadoop tokens that come before anybody asks for them are not lost, and later ones follow.
func TestTokensOfWorker(t *testing.T) {
	m := startLink(t)
	m.hello()
	send := func(text string) {
		m.send(&controlpb.ToWorker{Kind: &controlpb.ToWorker_HadoopTokens{HadoopTokens: []byte(text)}})
	}
	send("first")
	got := make(chan string, 4)
	m.link.OnTokens(func(data []byte) { got <- string(data) })
	send("second")
	for seen := ""; seen != "second"; {
		select {
		case seen = <-got:
		case <-time.After(2 * time.Minute):
			t.Fatal("the newest tokens did not come")
		}
	}
}
