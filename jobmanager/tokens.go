package jobmanager

import (
	"github.com/weft-project/weft/rpc/controlpb"
)

// SetHadoopTokens hands tokens (in the format of Hadoop's token files) to every TaskManager, and to those that register later:
// they replace those with which the processes were started.
func (m *JobManager) SetHadoopTokens(data []byte) {
	m.l.post(func() {
		m.hadoopTokens = data
		for _, tm := range m.tms {
			m.sendHadoopTokens(tm)
		}
	})
}

// sendHadoopTokens brings a TaskManager up to date.
func (m *JobManager) sendHadoopTokens(tm *taskManager) {
	if len(m.hadoopTokens) > 0 {
		tm.send(&controlpb.ToTaskManager{Kind: &controlpb.ToTaskManager_HadoopTokens{HadoopTokens: m.hadoopTokens}})
	}
}
