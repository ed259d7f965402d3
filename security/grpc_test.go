package security

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// startGRPC serves gRPC health checks that need the secret, on a bounded listener or a plain one.
func startGRPC(t *testing.T, bounded bool) (addr string, hellos chan string) {
	t.Helper()
	var ln net.Listener
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if bounded {
		ln = NewListener(ln, 0, FixedSecret(fixed(1)), []byte("server"), slog.New(slog.NewTextHandler(io.Discard, nil)))
	}
	hellos = make(chan string, 1)
	s := grpc.NewServer(grpc.Creds(GRPCCredentials(fixed(1), WithHello([]byte("server")))),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			hello, _ := PeerHello(ctx)
			hellos <- string(hello)
			return h(ctx, req)
		}))
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(ln)
	t.Cleanup(s.Stop)
	return ln.Addr().String(), hellos
}

func check(t *testing.T, addr string, creds credentials.TransportCredentials) error {
	t.Helper()
	cc, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err = healthpb.NewHealthClient(cc).Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}

func TestGRPCCredentials(t *testing.T) {
	for _, bounded := range []bool{false, true} {
		addr, hellos := startGRPC(t, bounded)
		if err := check(t, addr, GRPCCredentials(fixed(1), WithHello([]byte("tm-1")))); err != nil {
			t.Fatalf("bounded %v: %v", bounded, err)
		}
		if got := <-hellos; got != "tm-1" {
			t.Errorf("bounded %v: peer hello %q", bounded, got)
		}
		err := check(t, addr, GRPCCredentials(fixed(2)))
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "not authenticated") {
			t.Errorf("bounded %v: wrong secret: %v", bounded, err)
		}
	}
}
