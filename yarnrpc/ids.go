package yarnrpc

import (
	"fmt"
	"strconv"
	"strings"

	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
)

// ApplicationID identifies an application of one cluster.
type ApplicationID struct {
	// ClusterTimestamp is the start of the ResourceManager that made the id, in milliseconds since 1970.
	ClusterTimestamp int64
	Number           int32
}

// String gives application_1410450250506_0003.
func (a ApplicationID) String() string {
	return fmt.Sprintf("application_%d_%04d", a.ClusterTimestamp, a.Number)
}

// IsZero tells the unset id.
func (a ApplicationID) IsZero() bool { return a == ApplicationID{} }

// ParseApplicationID reads application_1410450250506_0003.
func ParseApplicationID(s string) (ApplicationID, error) {
	n, ok := numbers(s, "application_", 2)
	if !ok {
		return ApplicationID{}, fmt.Errorf("application id %q: expected the form application_1410450250506_0003", s)
	}
	return ApplicationID{n[0], int32(n[1])}, nil
}

// AttemptID identifies one attempt of an application.
type AttemptID struct {
	Application ApplicationID
	Number      int32
}

// String gives appattempt_1410450250506_0003_000001.
func (a AttemptID) String() string {
	return fmt.Sprintf("appattempt_%d_%04d_%06d", a.Application.ClusterTimestamp, a.Application.Number, a.Number)
}

// ParseAttemptID reads appattempt_1410450250506_0003_000001.
func ParseAttemptID(s string) (AttemptID, error) {
	n, ok := numbers(s, "appattempt_", 3)
	if !ok {
		return AttemptID{}, fmt.Errorf("attempt id %q: expected the form appattempt_1410450250506_0003_000001", s)
	}
	return AttemptID{ApplicationID{n[0], int32(n[1])}, int32(n[2])}, nil
}

// ContainerID identifies a container. The number holds the ResourceManager's epoch in its bits from 40 up.
type ContainerID struct {
	Attempt AttemptID
	Number  int64
}

const (
	epochShift = 40
	idMask     = 1<<epochShift - 1
)

// Epoch counts the restarts of the ResourceManager before the container was made.
func (c ContainerID) Epoch() int64 { return c.Number >> epochShift }

// String gives container_1410450250506_0003_01_000005, or container_e17_… with an epoch, as YARN prints it.
func (c ContainerID) String() string {
	epoch := ""
	if c.Epoch() > 0 {
		epoch = fmt.Sprintf("e%02d_", c.Epoch())
	}
	a := c.Attempt
	return fmt.Sprintf("container_%s%d_%04d_%02d_%06d", epoch, a.Application.ClusterTimestamp, a.Application.Number, a.Number, c.Number&idMask)
}

// ParseContainerID reads what String and YARN print.
func ParseContainerID(s string) (ContainerID, error) {
	bad := fmt.Errorf("container id %q: expected the form container_1410450250506_0003_01_000005 or container_e17_…", s)
	rest, ok := strings.CutPrefix(s, "container_")
	if !ok {
		return ContainerID{}, bad
	}
	var epoch int64
	if after, ok := strings.CutPrefix(rest, "e"); ok {
		text, tail, _ := strings.Cut(after, "_")
		e, err := strconv.ParseInt(text, 10, 23)
		if err != nil || e < 0 {
			return ContainerID{}, bad
		}
		epoch, rest = e, tail
	}
	n, ok := numbers(rest, "", 4)
	if !ok || n[3] > idMask {
		return ContainerID{}, bad
	}
	return ContainerID{AttemptID{ApplicationID{n[0], int32(n[1])}, int32(n[2])}, epoch<<epochShift | n[3]}, nil
}

// numbers splits prefix_1_2_… into exactly count numbers; all but the first and a fourth fit in 31 bits.
func numbers(s, prefix string, count int) ([]int64, bool) {
	rest, ok := strings.CutPrefix(s, prefix)
	parts := strings.Split(rest, "_")
	if !ok || len(parts) != count {
		return nil, false
	}
	out := make([]int64, count)
	for i, p := range parts {
		bits := 31
		if i == 0 || i == 3 {
			bits = 63
		}
		n, err := strconv.ParseUint(p, 10, bits)
		if err != nil {
			return nil, false
		}
		out[i] = int64(n)
	}
	return out, true
}

// NodeID identifies a NodeManager by the address of its container protocol.
type NodeID struct {
	Host string
	Port int32
}

// String gives host:port.
func (n NodeID) String() string { return fmt.Sprintf("%s:%d", n.Host, n.Port) }

func (a ApplicationID) proto() *yarnpb.ApplicationId {
	return &yarnpb.ApplicationId{Id: &a.Number, ClusterTimestamp: &a.ClusterTimestamp}
}

func applicationID(p *yarnpb.ApplicationId) ApplicationID {
	return ApplicationID{ClusterTimestamp: p.GetClusterTimestamp(), Number: p.GetId()}
}

func (a AttemptID) proto() *yarnpb.ApplicationAttemptId {
	return &yarnpb.ApplicationAttemptId{ApplicationId: a.Application.proto(), AttemptId: &a.Number}
}

func attemptID(p *yarnpb.ApplicationAttemptId) AttemptID {
	return AttemptID{Application: applicationID(p.GetApplicationId()), Number: p.GetAttemptId()}
}

func (c ContainerID) proto() *yarnpb.ContainerId {
	return &yarnpb.ContainerId{AppId: c.Attempt.Application.proto(), AppAttemptId: c.Attempt.proto(), Id: &c.Number}
}

func containerID(p *yarnpb.ContainerId) ContainerID {
	return ContainerID{Attempt: attemptID(p.GetAppAttemptId()), Number: p.GetId()}
}

func containerIDs(ids []ContainerID) []*yarnpb.ContainerId {
	var out []*yarnpb.ContainerId
	for _, id := range ids {
		out = append(out, id.proto())
	}
	return out
}

func nodeID(p *yarnpb.NodeId) NodeID { return NodeID{Host: p.GetHost(), Port: p.GetPort()} }
