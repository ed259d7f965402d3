package taskexec

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/security"
)

// blobURI is where files lie that the JobManager keeps, on clusters without a shared file system.
const blobURI = "jobmanager:"

// open opens a file that workers need, wherever it lies.
func (m *manager) open(ctx context.Context, ref *controlpb.BlobRef) (io.ReadCloser, error) {
	if ref.GetUri() == blobURI {
		return m.openBlob(ctx, ref.GetSha256())
	}
	store, path, err := m.o.Files.Get(ref.GetUri())
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, path)
}

// dial makes a connection to the leader, which both sides prove to belong to the cluster.
func (m *manager) dial(ctx context.Context) (*grpc.ClientConn, string, error) {
	addr, err := m.o.JobManager(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("find the JobManager: %w", err)
	}
	creds := security.GRPCCredentials(m.o.Secret.Derive(security.LabelControl))
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, "", fmt.Errorf("JobManager %s: %w", addr, err)
	}
	return conn, addr, nil
}

// openBlob reads a file that the JobManager keeps. It has a connection of its own: heartbeats do not wait for a large file.
func (m *manager) openBlob(ctx context.Context, hash string) (io.ReadCloser, error) {
	conn, addr, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := controlpb.NewJobManagerClient(conn).Blob(ctx, &controlpb.BlobRequest{Sha256: hash})
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("JobManager %s: %w", addr, err), conn.Close())
	}
	return &blobReader{stream: stream, addr: addr, close: func() error {
		cancel()
		return conn.Close()
	}}, nil
}

// blobReader reads the chunks of a stream.
type blobReader struct {
	stream controlpb.JobManager_BlobClient
	addr   string
	rest   []byte
	close  func() error
}

// Read is io.Reader's.
func (r *blobReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		chunk, err := r.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		case status.Code(err) == codes.NotFound:
			return 0, fmt.Errorf("%w: %s", errUser, status.Convert(err).Message())
		case err != nil:
			return 0, fmt.Errorf("JobManager %s: %s", r.addr, status.Convert(err).Message())
		}
		r.rest = chunk.GetData()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends the connection.
func (r *blobReader) Close() error { return r.close() }
