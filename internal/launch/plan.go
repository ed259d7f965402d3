package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/weft-project/weft/internal/role"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/planpb"
	"github.com/weft-project/weft/rpc/version"
	"github.com/weft-project/weft/rpc/wire"
)

// plan hands the graph to whoever started this process and brings the job's result back into main.
type plan struct {
	recorder
	conn net.Conn
	in   *bufio.Reader
	err  error
}

func newPlan(fd int) *plan {
	f := os.NewFile(uintptr(fd), "plan")
	conn, err := net.FileConn(f)
	_ = f.Close() // FileConn has its own copy
	if err != nil {
		return &plan{err: fmt.Errorf("socket to the client: %w", err)}
	}
	return &plan{conn: conn, in: bufio.NewReader(conn)}
}

// Begin is Launcher's.
func (p *plan) Begin(context.Context) (int, map[string]string, error) {
	config := map[string]string{}
	if text := os.Getenv(role.EnvConfig); text != "" {
		if err := json.Unmarshal([]byte(text), &config); err != nil {
			return 0, nil, fmt.Errorf("%s: %w", role.EnvConfig, err)
		}
	}
	return p.next(), config, p.err
}

// Reject is Launcher's.
func (p *plan) Reject(err error) {
	// The client may be gone; main has the error all the same.
	_ = wire.Write(p.conn, &planpb.FromPlan{Kind: &planpb.FromPlan_Error{Error: &planpb.PlanError{Message: err.Error()}}})
}

// Launch is Launcher's.
func (p *plan) Launch(_ context.Context, program *operator.Program) (*planpb.JobResult, error) {
	g := program.Graph
	g.ProtocolMajor, g.ProtocolMinor = version.Major, version.Minor
	if err := wire.Write(p.conn, &planpb.FromPlan{Kind: &planpb.FromPlan_Graph{Graph: g}}); err != nil {
		return nil, fmt.Errorf("handing the graph over: %w", err)
	}
	for {
		m := &planpb.ToPlan{}
		if err := wire.Read(p.in, m); err != nil {
			return nil, fmt.Errorf("waiting for the job's result: %w", err)
		}
		switch k := m.GetKind().(type) {
		case *planpb.ToPlan_Rejected:
			return nil, errors.New(k.Rejected)
		case *planpb.ToPlan_Result:
			return k.Result, nil
		case *planpb.ToPlan_Submitted:
			if k.Submitted.GetDetached() {
				return &planpb.JobResult{JobId: k.Submitted.GetJobId(), Status: planpb.JobStatus_CREATED}, nil
			}
		}
	}
}
