package hadoopproto_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	commonpb "github.com/weft-project/weft/internal/hadoop/proto/common"
	hdfspb "github.com/weft-project/weft/internal/hadoop/proto/hdfs"
	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
)

// hadoop is what the recorded descriptors say: message → number → "label type name [default=…]", enum → value → number.
type hadoop struct {
	fields map[string]map[int]string
	enums  map[string]map[string]int
}

func readHadoop(t *testing.T) hadoop {
	t.Helper()
	data, err := os.ReadFile("testdata/hadoop-3.4.2.txt")
	if err != nil {
		t.Fatal(err)
	}
	h := hadoop{fields: map[string]map[int]string{}, enums: map[string]map[string]int{}}
	var current string
	for _, line := range strings.Split(string(data), "\n") {
		word := strings.Fields(line)
		switch {
		case len(word) == 0 || word[0] == "#":
		case word[0] == "message":
			current = word[1]
			h.fields[current] = map[int]string{}
		case word[0] == "enum":
			values := map[string]int{}
			for _, v := range word[2:] {
				name, number, _ := strings.Cut(v, "=")
				var n int
				fmt.Sscan(number, &n)
				values[name] = n
			}
			h.enums[strings.TrimSuffix(word[1], ":")] = values
		default:
			left, right, ok := strings.Cut(line, " = ")
			var n int
			if _, err := fmt.Sscan(right, &n); err != nil || !ok {
				t.Fatalf("line %q: %v", line, err)
			}
			_, def, _ := strings.Cut(right, " ")
			h.fields[current][n] = strings.TrimSpace(strings.TrimSpace(left) + " " + def)
		}
	}
	return h
}

// hadoopName gives Hadoop's name of one of our messages or enums.
func hadoopName(d protoreflect.Descriptor) string {
	switch d.Name() {
	case "Auth":
		return "RpcSaslProto.SaslAuth"
	case "Operation":
		return "OperationProto"
	case "Status":
		return "RpcStatusProto"
	case "ErrorCode":
		return "RpcErrorCodeProto"
	case "State":
		return "SaslState"
	case "GetFsStatsRequest":
		return "GetFsStatusRequestProto"
	case "SchedulerResourceTypes", "FileType", "Flags", "DataTransferEncryptorStatus":
		return string(d.Name())
	}
	return string(d.Name()) + "Proto"
}

// TestFieldsAreHadoops compares every message and enum with what the jars of Hadoop say.
func TestFieldsAreHadoops(t *testing.T) {
	h := readHadoop(t)
	files := []protoreflect.FileDescriptor{
		commonpb.File_internal_hadoop_proto_common_common_proto,
		commonpb.File_internal_hadoop_proto_common_groups_proto,
		yarnpb.File_internal_hadoop_proto_yarn_records_proto,
		yarnpb.File_internal_hadoop_proto_yarn_service_proto,
		yarnpb.File_internal_hadoop_proto_yarn_token_proto,
		yarnpb.File_internal_hadoop_proto_yarn_queueacls_proto,
		hdfspb.File_internal_hadoop_proto_hdfs_hdfs_proto,
		hdfspb.File_internal_hadoop_proto_hdfs_transfer_proto,
		hdfspb.File_internal_hadoop_proto_hdfs_quota_proto,
	}
	var messages int
	var message func(m protoreflect.MessageDescriptor)
	message = func(m protoreflect.MessageDescriptor) {
		messages++
		want, ok := h.fields[hadoopName(m)]
		if !ok {
			t.Errorf("message %s: Hadoop has no %s", m.Name(), hadoopName(m))
			return
		}
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if got := describe(f); plain(got) != plain(want[int(f.Number())]) {
				t.Errorf("%s field %d: ours %q, Hadoop's %q", m.Name(), f.Number(), got, want[int(f.Number())])
			}
		}
		for i := range m.Messages().Len() {
			message(m.Messages().Get(i))
		}
		enums(t, h, m.Enums())
	}
	for _, f := range files {
		for i := range f.Messages().Len() {
			message(f.Messages().Get(i))
		}
		enums(t, h, f.Enums())
	}
	if messages < 80 {
		t.Errorf("only %d messages compared", messages)
	}
}

func enums(t *testing.T, h hadoop, list protoreflect.EnumDescriptors) {
	for i := range list.Len() {
		e := list.Get(i)
		want, ok := h.enums[hadoopName(e)]
		if !ok {
			t.Errorf("enum %s: Hadoop has no %s", e.Name(), hadoopName(e))
			continue
		}
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			if n, ok := want[string(v.Name())]; !ok || n != int(v.Number()) {
				t.Errorf("enum %s: %s is %d, Hadoop's %d (%v)", e.Name(), v.Name(), v.Number(), n, ok)
			}
		}
	}
}

// describe writes a field the way testdata does.
func describe(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	switch {
	case f.Message() != nil:
		kind = hadoopName(f.Message())
	case f.Enum() != nil:
		kind = hadoopName(f.Enum())
	}
	if i := strings.LastIndex(kind, "."); i >= 0 {
		kind = kind[i+1:]
	}
	s := fmt.Sprintf("%s %s %s", f.Cardinality(), kind, f.Name())
	if f.HasDefault() {
		def := f.Default().String()
		if f.Enum() != nil {
			def = string(f.DefaultEnumValue().Name())
		}
		s += fmt.Sprintf(" [default=%s]", def)
	}
	return s
}

// plain drops what the two sides may write differently: case and underscores.
func plain(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
