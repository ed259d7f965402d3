//go:build realhadoop

package acceptance

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/devcluster"
)

// strangersAt talks to all ports of a session's processes as those do who have no business there, with secrets of others, and with
// tickets for something else. The job goes on.
func (u *secured) strangersAt(t *testing.T, app, job string) {
	t.Helper()
	web := u.recalled(app, "rest")
	_, pages, err := net.SplitHostPort(web)
	if err != nil {
		t.Fatal(err)
	}
	ports, count := map[string]string{}, map[string]int{}
	for role, procs := range map[string][]devcluster.Proc{"jobmanager": u.processes(app, "jobmanager"), "taskmanager": u.processes(app, "taskmanager"), "worker": u.workers(app)} {
		for _, p := range procs {
			for _, n := range listening(t, p) {
				if count[role]++; strconv.Itoa(n) != pages {
					ports["127.0.0.1:"+strconv.Itoa(n)] = role
				}
			}
		}
	}
	// REST and the control plane, a data port; a TaskManager dials and listens nowhere.
	if count["jobmanager"] != 2 || count["worker"] != 1 || count["taskmanager"] != 0 || len(ports) != 2 {
		t.Errorf("listening: %v, without REST %v", count, ports)
	}
	foreign := []string{u.ticketFor(devcluster.Other, "HTTP/localhost"), u.ticketFor(devcluster.Other, "nn/localhost"), u.ticketFor(devcluster.Owner, "nn/localhost")}
	secret := u.secret(app)
	var all sync.WaitGroup
	all.Go(func() { garbage(t, ports) })
	all.Go(func() { requests(t, web) })
	all.Go(func() { wrongSecrets(t, ports, secret, job) })
	all.Go(func() { foreignTickets(t, ports, foreign) })
	all.Wait()
	base, asks := "http://"+web, newCaller(t, "")
	// The last two are for another service, one of them the owner's own; garbage is none.
	for _, header := range []string{"Negotiate", "Negotiate AAAA", "Negotiate " + foreign[1], "Negotiate " + foreign[2], "Negotiate " + foreign[0][:len(foreign[0])/8*4]} {
		for _, change := range [][2]string{{"GET", "/jobs/overview"}, {"PATCH", "/jobs/" + job + "?mode=cancel"}, {"DELETE", "/cluster"}} {
			if status, body := asks.ask(change[0], base+change[1], "Authorization", header); status != 401 {
				t.Errorf("%.40s: %s %s: status %d: %.300s", header, change[0], change[1], status, body)
			}
		}
	}
	// Headers of 16 KiB at most: a stranger with more is not even told that he is one.
	if status, body := asks.ask("GET", base+"/jobs/overview", "X-Long", strings.Repeat("x", 15<<10)); status != 401 {
		t.Errorf("a header of 15 KiB: status %d: %.300s", status, body)
	}
	if answer := answered(t, web, "GET /jobs/overview HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 17<<10)+"\r\n\r\n"); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
		t.Errorf("a header of 17 KiB: %.300s", answer)
	}
	crowd(t, keys(ports, web), func() { u.withoutToken(app, job) })
}

// foreignTickets shows tickets to ports that want none, plain and as the texts of our own handshake.
func foreignTickets(t *testing.T, ports map[string]string, tickets []string) {
	t.Helper()
	var all sync.WaitGroup
	for address, who := range ports {
		for _, ticket := range tickets {
			raw, err := base64.StdEncoding.DecodeString(ticket)
			if err != nil {
				t.Error(err)
				return
			}
			framed := string(binary.BigEndian.AppendUint16([]byte("WEFT\x01\x01"), uint16(len(raw)))) + string(raw)
			proof := "WEFT\x01\x01\x00\x20" + strings.Repeat("n", 32) + string(binary.BigEndian.AppendUint16([]byte("WEFT\x01\x02"), uint16(len(raw)))) + string(raw)
			for _, text := range []string{string(raw), framed, proof, "Authorization: Negotiate " + ticket + "\r\n\r\n"} {
				all.Go(func() {
					if err := droppedAfter(address, text, 256); err != nil {
						t.Errorf("%s at %s, told %.20q: %v", who, address, text, err)
					}
				})
			}
		}
	}
	all.Wait()
}

// answered is what a server says to a text before it hangs up; it may hang up at once.
func answered(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// It may not want all of it.
	_, _ = io.WriteString(conn, text)
	said, err := io.ReadAll(conn)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Errorf("%s keeps the connection", address)
	}
	return string(said)
}
