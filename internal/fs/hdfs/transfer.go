package hdfs

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	"github.com/weft-project/weft/internal/hadoop/sasl"
)

const (
	// saslMagic opens a negotiation with a DataNode.
	saslMagic = 0xDEADBEEF
	// The DataNode's own name in the mechanism.
	transferProtocol, transferServer = "hdfs", "0"
	// maxTransferMessage bounds a message of the negotiation, maxWrapped a protected one.
	maxTransferMessage = 1 << 20
	maxWrapped         = 16 << 20
	// plainPiece is what one protected message carries: less than the 64 KiB that both sides announce.
	plainPiece = 60 << 10
	// keyMargin is how long before its end a key is fetched anew; a connection may be opened with the key until then.
	keyMargin = 10 * time.Minute
	// opHeaderLen is version and code in front of an operation.
	opHeaderLen = 3
	// privilegedPorts are below this one: a DataNode there has proven itself by the port.
	privilegedPorts = 1024
)

// errUnknownKey is a DataNode that does not know the key of the encryption (any more).
var errUnknownKey = errors.New("the DataNode does not know the encryption key")

// transferDigest says how a connection to a DataNode authenticates for the operation op; nil is not at all. As in Hadoop:
// with the NameNode's key where it says that blocks are encrypted, else, on a secured cluster with dfs.data.transfer.protection, with
// the block's token.
func (s *session) transferDigest(op []byte, remote net.Addr) (*sasl.DigestConfig, error) {
	key, err := s.fs.encryptionKey(s.ctx)
	if err != nil {
		return nil, err
	}
	if key != nil {
		user := fmt.Sprintf("%d %s %s", int32(key.GetKeyId()), key.GetBlockPoolId(), base64.StdEncoding.EncodeToString(key.GetNonce()))
		cfg := &sasl.DigestConfig{User: user, Password: base64.StdEncoding.EncodeToString(key.GetEncryptionKey()),
			Protocol: transferProtocol, Server: transferServer, Allowed: []sasl.QOP{sasl.AuthConf}}
		if a := key.GetEncryptionAlgorithm(); a != "" {
			cfg.Ciphers = []string{a}
		}
		return cfg, nil
	}
	if addr, ok := remote.(*net.TCPAddr); len(s.fs.files.protection) == 0 || ok && addr.Port < privilegedPorts {
		return nil, nil
	}
	if len(op) < opHeaderLen {
		return nil, fmt.Errorf("an operation of %d bytes", len(op))
	}
	b, n := protowire.ConsumeBytes(op[opHeaderLen:])
	if n < 0 {
		return nil, fmt.Errorf("operation: %w", protowire.ParseError(n))
	}
	var m hdfspb.OpReadBlock
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("operation: %w", err)
	}
	tok := m.GetHeader().GetBaseHeader().GetToken()
	cfg := sasl.TokenDigest(tok.GetIdentifier(), tok.GetPassword(), transferProtocol, transferServer, s.fs.files.protection)
	return &cfg, nil
}

// encryptionKey gives the key with which blocks travel, nil when they are not encrypted.
func (f *FS) encryptionKey(ctx context.Context) (*hdfspb.DataEncryptionKey, error) {
	if _, err := f.serverDefaults(ctx, nil); err != nil {
		return nil, err
	}
	f.defaults.Lock()
	encrypted, key := f.defaults.encrypted, f.defaults.key
	f.defaults.Unlock()
	if !encrypted {
		return nil, nil
	}
	if key != nil && time.Until(time.UnixMilli(int64(key.GetExpiryDate()))) > keyMargin {
		return key, nil
	}
	var resp hdfspb.GetDataEncryptionKeyResponse
	if err := f.invoke(ctx, "getDataEncryptionKey", &hdfspb.GetDataEncryptionKeyRequest{}, &resp); err != nil {
		return nil, err
	}
	f.defaults.Lock()
	defer f.defaults.Unlock()
	f.defaults.key = resp.GetDataEncryptionKey()
	return f.defaults.key, nil
}

// dropKey makes the next connection fetch the key anew.
func (f *FS) dropKey() {
	f.defaults.Lock()
	defer f.defaults.Unlock()
	f.defaults.key = nil
}

// negotiate authenticates a connection to a DataNode and gives what is read and written from then on.
func negotiate(nc net.Conn, in *bufio.Reader, cfg sasl.DigestConfig) (io.Reader, io.Writer, error) {
	mech := sasl.NewDigest(cfg)
	challenge, err := transferRound(nc, in, binary.BigEndian.AppendUint32(nil, saslMagic), &hdfspb.DataTransferEncryptorMessage{Payload: []byte{}})
	if err != nil {
		return nil, nil, err
	}
	response, err := mech.Start(challenge.GetPayload())
	if err != nil {
		return nil, nil, err
	}
	out := &hdfspb.DataTransferEncryptorMessage{Payload: response}
	if mech.QOP() == sasl.AuthConf {
		// The DataNode takes it when AES is configured there; else it goes on with the mechanism's own, slow cipher.
		out.CipherOption = []*hdfspb.CipherOption{{Suite: hdfspb.CipherSuite_AES_CTR_NOPADDING.Enum()}}
	}
	final, err := transferRound(nc, in, nil, out)
	if err != nil {
		return nil, nil, err
	}
	if err := mech.Finish(final.GetPayload()); err != nil {
		return nil, nil, err
	}
	if mech.QOP() == sasl.Auth {
		return in, nc, nil
	}
	if options := final.GetCipherOption(); len(options) > 0 && mech.QOP() == sasl.AuthConf {
		return aesStreams(nc, in, mech, options[0])
	}
	return &unwrapper{in: in, mech: mech}, &wrapper{out: nc, mech: mech}, nil
}

// transferRound sends a message of the negotiation and reads the answer.
func transferRound(nc net.Conn, in *bufio.Reader, prefix []byte, out *hdfspb.DataTransferEncryptorMessage) (*hdfspb.DataTransferEncryptorMessage, error) {
	out.Status = hdfspb.DataTransferEncryptorMessage_SUCCESS.Enum()
	b, err := proto.Marshal(out)
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(protowire.AppendBytes(prefix, b)); err != nil {
		return nil, err
	}
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	if n > maxTransferMessage {
		return nil, fmt.Errorf("authentication: an answer of %d bytes", n)
	}
	b = make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	var msg hdfspb.DataTransferEncryptorMessage
	if err := proto.Unmarshal(b, &msg); err != nil {
		return nil, fmt.Errorf("authentication: %w", err)
	}
	switch msg.GetStatus() {
	case hdfspb.DataTransferEncryptorMessage_SUCCESS:
		return &msg, nil
	case hdfspb.DataTransferEncryptorMessage_ERROR_UNKNOWN_KEY:
		return nil, fmt.Errorf("authentication: %w: %s", errUnknownKey, msg.GetMessage())
	}
	return nil, fmt.Errorf("authentication: %s", msg.GetMessage())
}

// aesStreams are the streams of AES in counter mode; the keys come protected by the mechanism, the DataNode's view of in and out.
func aesStreams(nc net.Conn, in *bufio.Reader, mech sasl.Mechanism, option *hdfspb.CipherOption) (io.Reader, io.Writer, error) {
	if option.GetSuite() != hdfspb.CipherSuite_AES_CTR_NOPADDING {
		return nil, nil, fmt.Errorf("authentication: the DataNode chose cipher %v, which was not offered", option.GetSuite())
	}
	stream := func(wrapped, iv []byte) (cipher.Stream, error) {
		key, err := mech.Unwrap(wrapped)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if len(iv) != block.BlockSize() {
			return nil, fmt.Errorf("authentication: an initial vector of %d bytes, expected %d", len(iv), block.BlockSize())
		}
		return cipher.NewCTR(block, iv), nil
	}
	enc, err := stream(option.GetInKey(), option.GetInIv())
	if err != nil {
		return nil, nil, err
	}
	dec, err := stream(option.GetOutKey(), option.GetOutIv())
	if err != nil {
		return nil, nil, err
	}
	return bufio.NewReaderSize(&cipher.StreamReader{S: dec, R: in}, connBuffer), &cipher.StreamWriter{S: enc, W: nc}, nil
}

// unwrapper reads protected messages: four bytes of length and the message.
type unwrapper struct {
	in      io.Reader
	mech    sasl.Mechanism
	pending []byte
}

// Read is io.Reader.
func (u *unwrapper) Read(b []byte) (int, error) {
	for len(u.pending) == 0 {
		var head [4]byte
		if _, err := io.ReadFull(u.in, head[:]); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxWrapped {
			return 0, fmt.Errorf("a protected message of %d bytes", n)
		}
		wrapped := make([]byte, n)
		if _, err := io.ReadFull(u.in, wrapped); err != nil {
			return 0, err
		}
		var err error
		if u.pending, err = u.mech.Unwrap(wrapped); err != nil {
			return 0, err
		}
	}
	n := copy(b, u.pending)
	u.pending = u.pending[n:]
	return n, nil
}

// wrapper writes protected messages.
type wrapper struct {
	out  io.Writer
	mech sasl.Mechanism
}

// Write is io.Writer.
func (w *wrapper) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		piece := b[done:min(len(b), done+plainPiece)]
		wrapped, err := w.mech.Wrap(piece)
		if err != nil {
			return done, err
		}
		framed := append(binary.BigEndian.AppendUint32(make([]byte, 0, len(wrapped)+4), uint32(len(wrapped))), wrapped...)
		if _, err := w.out.Write(framed); err != nil {
			return done, err
		}
		done += len(piece)
	}
	return len(b), nil
}
