package worker

import (
	"os"
	"strings"

	"github.com/weft-project/weft/config"
	"github.com/weft-project/weft/graph/topology"
	"github.com/weft-project/weft/internal/spill"
	"github.com/weft-project/weft/operator"
	"github.com/weft-project/weft/rpc/controlpb"
	"github.com/weft-project/weft/rpc/planpb"
)

// unknownManaged is the managed memory of a process whose own size is not known, as a local run's.
const unknownManaged = 128 << 20

// maxManagedPart is the part of a worker's memory that managed memory is at most.
const maxManagedPart = 0.7

// yarnDirs is the variable in which YARN names a container's directories, one on each disk.
const yarnDirs = "LOCAL_DIRS"

// tempDirs are where a worker's temporary data goes: its container's directories on YARN, else its working directory.
func tempDirs(workDir string) []string {
	if dirs := splitDirs(os.Getenv(yarnDirs)); len(dirs) > 0 {
		return dirs
	}
	return []string{workDir}
}

// localTempDirs are those of a local run.
func localTempDirs(c *config.Config) []string {
	if dirs := splitDirs(config.Get(c, config.TempDirs)); len(dirs) > 0 {
		return dirs
	}
	return []string{os.TempDir()}
}

func splitDirs(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '|' || r == ';' })
}

// managedMemory is what the operators of BATCH jobs sort and aggregate in, of a worker with so much memory (0: unknown).
func managedMemory(c *config.Config, memory int64) int64 {
	if size := int64(config.Get(c, config.ManagedMemory)); size > 0 {
		if memory > 0 {
			size = min(size, int64(float64(memory)*maxManagedPart))
		}
		return size
	}
	if memory <= 0 {
		return unknownManaged
	}
	part := config.Get(c, config.ManagedFraction)
	if part == 0 {
		part = config.Get(config.FromMap(nil), config.ManagedFraction)
	}
	return int64(float64(memory) * min(part, maxManagedPart))
}

// managedShare is what each operator of a deployment gets that needs managed memory.
func (r *Runtime) managedShare(d *controlpb.Deploy) int64 {
	n := 0
	for _, td := range d.GetTasks() {
		if v := r.cfg.Program.Vertices[td.GetId().GetVertexId()]; v != nil {
			n += managedOf(v.Root)
		}
	}
	return managedMemory(config.FromMap(r.cfg.Config), r.cfg.Memory) / int64(max(1, n))
}

func managedOf(n *operator.Node) int {
	count := 0
	if n.Managed {
		count = 1
	}
	for _, c := range n.Chained {
		count += managedOf(c.Node)
	}
	return count
}

// stored gives the place of an output that is kept until its readers begin; nil for any other.
func (t *task) stored(edge uint32) *spill.Space {
	if edges := t.r.cfg.Program.Graph.GetEdges(); int(edge) < len(edges) && edges[edge].GetExchange() == planpb.ExchangeMode_BLOCKING {
		return t.r.spill
	}
	return nil
}

// free lets go of what a task of a BATCH job held: the process serves the stages after it.
func (t *task) free() {
	if t.opctx != nil && t.opctx.Batch {
		t.chain, t.opctx, t.writers, t.readers = nil, nil, nil, nil
	}
}

// stagesOf are a job's deployments, one for each stage, all of it in this process. The first has the coordinator task.
func stagesOf(g *planpb.JobGraph, all *controlpb.Deploy) []*controlpb.Deploy {
	stage, n, ok := topology.Stages(g)
	if !ok {
		return []*controlpb.Deploy{all}
	}
	out := make([]*controlpb.Deploy, n)
	for i := range out {
		out[i] = &controlpb.Deploy{JobId: all.GetJobId(), JobAttempt: all.GetJobAttempt(), Coordinator: all.GetCoordinator(),
			CoordinatorAddress: all.GetCoordinatorAddress()}
	}
	for _, t := range all.GetTasks() {
		s := out[stage[t.GetId().GetVertexId()]]
		s.Tasks = append(s.Tasks, t)
	}
	return out
}

// localStages counts the tasks of a local run down and deploys stage after stage.
type localStages struct {
	r           *Runtime
	left        []*controlpb.Deploy
	coordinator string // its vertex
	running     int    // tasks of the stage, without the coordinator
}

func newLocalStages(r *Runtime, all *controlpb.Deploy) *localStages {
	return &localStages{r: r, left: stagesOf(r.cfg.Program.Graph, all), coordinator: all.GetCoordinator().GetVertexId()}
}

// next deploys the next stage and gives the number of its tasks, 0 when there is none.
func (s *localStages) next() (int, error) {
	if len(s.left) == 0 {
		return 0, nil
	}
	d := s.left[0]
	s.left = s.left[1:]
	s.running = 0
	for _, t := range d.GetTasks() {
		if t.GetId().GetVertexId() != s.coordinator {
			s.running++
		}
	}
	return len(d.GetTasks()), s.r.Deploy(d)
}

// finished notes that a task has finished; the stage's last one begins the next stage.
func (s *localStages) finished(t *controlpb.TaskState) (more int, err error) {
	if t.GetId().GetVertexId() == s.coordinator {
		return 0, nil
	}
	if s.running--; s.running > 0 {
		return 0, nil
	}
	return s.next()
}
