package rpc

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
)

// TestRequestBytes pins the frame of a call: length, delimited header (sint32 ids in zigzag), request header, argument.
func TestRequestBytes(t *testing.T) {
	got, err := frame(requestHeader(-33, nil, -1), &commonpb.RpcSasl{State: commonpb.RpcSasl_NEGOTIATE.Enum()})
	if err != nil {
		t.Fatal(err)
	}
	if want := "0000000e" + "0a" + "0802100018412200" + "2801" + "02" + "1001"; hex.EncodeToString(got) != want {
		t.Errorf("%x\nwant %s", got, want)
	}
}

func TestReadFrameLimits(t *testing.T) {
	if _, err := readFrame(strings.NewReader("\x7f\xff\xff\xffabc"), 1<<20); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	if _, err := readFrame(strings.NewReader("\x07\xff\xff\xffabc"), 128<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	big := bytes.Repeat([]byte{7}, 3<<20)
	got, err := readFrame(io.MultiReader(bytes.NewReader([]byte{0, 0x30, 0, 0}), bytes.NewReader(big)), 4<<20)
	if err != nil || !bytes.Equal(got, big) {
		t.Error(len(got), err)
	}
}

func TestRemoteErrorText(t *testing.T) {
	for _, c := range []struct{ class, msg, want string }{
		{"a.b.FooException", "a.b.FooException: it broke\n\tat x.y(Z.java)", "FooException: it broke"},
		{"a.b.FooException", "it broke", "FooException: it broke"},
		{"a.b.FooException", "", "FooException"},
		{"", "text", "text"},
	} {
		h := &commonpb.RpcResponseHeader{ExceptionClassName: &c.class, ErrorMsg: &c.msg}
		if got := remoteError(h).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func FuzzFrames(f *testing.F) {
	id := uint32(1)
	ok, err := frame(&commonpb.RpcResponseHeader{CallId: &id, Status: commonpb.RpcResponseHeader_ERROR.Enum(), ErrorMsg: proto.String("x")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ok)
	f.Add([]byte("HTTP/1.1 400"))
	minus := int32(-33)
	sid := uint32(minus)
	s, err := frame(&commonpb.RpcResponseHeader{CallId: &sid, Status: commonpb.RpcResponseHeader_SUCCESS.Enum()}, &commonpb.RpcSasl{State: commonpb.RpcSasl_WRAP.Enum(), Token: []byte("t")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	addFrames(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := readFrame(bytes.NewReader(b), 1<<20)
		if err != nil {
			return
		}
		_, _ = takeSASL(in)
		if h, rest, err := takeResponse(in); err == nil {
			_ = remoteError(h).Error()
			_, _ = takeDelimited(rest, &commonpb.Token{})
		}
	})
}
