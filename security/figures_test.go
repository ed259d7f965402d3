package security

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The figures that docs/security.md promises.
func TestPromisedFigures(t *testing.T) {
	if MaxMessage != 4<<10 || DefaultPending != 64 || HandshakeTimeout != 5*time.Second {
		t.Errorf("messages of %d bytes, %d pending, %v", MaxMessage, DefaultPending, HandshakeTimeout)
	}
}

// counted notes how much is read from a connection.
type counted struct {
	net.Conn
	read int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read += n
	return n, err
}

// A hello of 4 KiB with its header is taken; one of a byte more ends the handshake when its header is read.
func TestHandshakeHoldsFourKiB(t *testing.T) {
	const fits = 4<<10 - headerSize
	for size, most := range map[int]int{fits: 4 << 10, fits + 1: headerSize, 1<<16 - 1: headerSize} {
		client, server := tcpPair(t)
		seen := &counted{Conn: server}
		asked := 0
		done := make(chan error, 1)
		go func() {
			_, err := ServerHandshake(context.Background(), seen, func(hello []byte) (Secret, error) {
				asked = len(hello)
				return nil, errors.New("nobody")
			}, nil)
			server.Close()
			done <- err
		}()
		_, _ = client.Write(appendMessage(nil, typeHello, make([]byte, size))) // it may hang up before all is sent
		if err := <-done; err == nil {
			t.Errorf("%d bytes: accepted", size)
		}
		if seen.read > most {
			t.Errorf("%d bytes: %d were read, expected %d at most", size, seen.read, most)
		}
		if want := map[int]int{fits: fits - nonceSize}[size]; asked != want {
			t.Errorf("%d bytes: a hello of %d was looked at, expected %d", size, asked, want)
		}
	}
}

// Who is silent, and who sends a byte now and then, is dropped after 5 seconds, no sooner and no later.
func TestHandshakeEndsAfterFiveSeconds(t *testing.T) {
	hello := appendMessage(nil, typeHello, make([]byte, nonceSize))
	for name, trickle := range map[string]string{"silent": "", "slow": string(hello)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer client.Close()
				began := time.Now()
				var writing sync.WaitGroup
				defer writing.Wait() // its next write finds the connection closed
				writing.Go(func() {
					for i := range len(trickle) {
						<-time.After(time.Second)
						if _, err := io.WriteString(client, trickle[i:i+1]); err != nil {
							return
						}
					}
				})
				if _, err := ServerHandshake(t.Context(), server, FixedSecret(fixed(1)), nil); err == nil || !strings.Contains(err.Error(), "5s") {
					t.Errorf("error %v", err)
				}
				server.Close()
				if took := time.Since(began); took != 5*time.Second {
					t.Errorf("dropped after %v", took)
				}
			})
		})
	}
}

// pipes is a listener whose connections are put in by hand.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// 64 silent connections are kept, and one more for each expected peer; of one more the oldest goes at once, the others after 5 seconds.
func TestListenerKeepsSixtyFour(t *testing.T) {
	for _, peers := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			in, kept := make(pipes), 64+peers
			l := NewListener(in, 0, FixedSecret(fixed(1)), nil, slog.New(slog.DiscardHandler))
			if peers > 0 {
				l.SetLimit(DefaultPending + peers)
			}
			var left []chan time.Time
			for range kept + 1 {
				client, server := net.Pipe()
				ended := make(chan time.Time, 1)
				go func() {
					_, _ = io.Copy(io.Discard, client)
					ended <- time.Now()
				}()
				in <- server
				left = append(left, ended)
			}
			began := time.Now()
			synctest.Wait()
			for i, ended := range left {
				if gone := len(ended) > 0; gone != (i == 0) {
					t.Errorf("of %d with %d peers expected, connection %d is gone: %v", len(left), peers, i, gone)
				}
			}
			for i, ended := range left[1:] {
				if took := (<-ended).Sub(began); took != 5*time.Second {
					t.Errorf("connection %d was dropped after %v", i+1, took)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
