//go:build realhadoop

package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"
)

// reservedFor is how much of its disk a DataNode must leave alone to have room for so many bytes of blocks. What others write to
// the disk meanwhile counts as part of it.
func reservedFor(t *testing.T, room uint64) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &st); err != nil {
		t.Fatal(err)
	}
	block := uint64(st.Bsize)
	return strconv.FormatUint(st.Blocks*block-(st.Bfree-st.Bavail)*block-room, 10)
}

// room is what HDFS has left, in bytes.
func (u *user) room() int64 {
	u.t.Helper()
	answer, err := http.Get("http://" + u.c.NameNodeWeb() + "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState")
	if err != nil {
		u.t.Fatal(err)
	}
	defer answer.Body.Close()
	var doc struct {
		Beans []struct{ CapacityRemaining int64 }
	}
	if err := json.NewDecoder(answer.Body).Decode(&doc); err != nil || len(doc.Beans) != 1 {
		u.t.Fatalf("the NameNode's figures: %+v, %v", doc, err)
	}
	return doc.Beans[0].CapacityRemaining
}

// blockSize is that of the clusters with little room.
const blockSize = 4 << 20

// fill writes files until there is no room for another block, and gives their names.
func (u *user) fill() (names []string) {
	u.t.Helper()
	for room := u.room(); room >= blockSize; {
		name := fmt.Sprintf("%s/filling-%d", u.hdfs, len(names))
		names = append(names, name)
		// The NameNode also counts what is about to be written, for a moment longer than it is.
		size := max(room/blockSize-2, 1) * blockSize
		u.until("some more is written", func() bool {
			err := u.c.WriteFile(u.t.Context(), name, io.LimitReader(zeros{}, size))
			if err != nil {
				size, room = blockSize, u.room()
			}
			return err == nil || room < blockSize
		})
		// DataNodes tell of their room every second.
		before := room
		u.until("the NameNode has heard of less room", func() bool { room = u.room(); return room < max(before-size+1, blockSize) })
	}
	return names
}

// zeros is content without end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// A NameNode that restarts while jobs read and write makes them wait, or start again.
func nameNodeRestarts(u *user) {
	app := u.session("-jm", "512", "-tm", "512", "-s", "2")
	reads, writes := u.heldAt("gate", app, 2, "reads"), u.heldAt("gate-out", app, 2, "writes")
	if err := u.c.KillDaemon("namenode"); err != nil {
		u.t.Fatal(err)
	}
	reads.release()
	writes.release()
	startAgain(u.t, u.c, "namenode")
	// The DataNode, through which the test reads, notices that its connection has ended when it uses it.
	u.until("files can be read again", func() bool {
		_, err := u.c.ReadFile(u.t.Context(), u.hdfs+"/reads-in/0.txt")
		return err == nil
	})
	reads.ended()
	writes.ended()
	u.kill(app)
}

// A full HDFS is said so in a sentence; nothing of what was tried stays, and what was refused works when there is room again.
func hdfsFull(u *user) {
	t := u.t
	app := u.session("-jm", "512", "-tm", "512", "-s", "2", "-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.attempts=1000000", "-Drestart-strategy.fixed-delay.delay=100ms")
	words := text(100, 5)
	input := u.put("in.txt", words)
	u.ok("weft", "run", testJob(t), "-input", input, "-output", u.out("before"))
	fillings := u.fill()
	u.mkdir("results")
	u.fails(1, []string{"the file system is full", "MiB are free and a block has 4 MiB"}, "weft", "run", "-Drestart-strategy.type=none",
		testJob(t), "-input", input, "-output", u.out("results/never"))
	if left, err := u.c.List(t.Context(), u.hdfs+"/results"); err != nil || len(left) > 0 {
		t.Errorf("left of a job that found no room: %v, %v", left, err)
	}
	other := newUserOf(t, u.c)
	sentence(t, other.fails(1, []string{"the file system is full"}, "yarn-session.sh", "-d"))
	other.nothingLeft()

	p := u.start("", "weft", "run", testJob(t), "-input", input, "-output", u.out("results/later"))
	p.says("the file system is full")
	p.says("RESTARTING")
	for _, name := range fillings {
		if err := u.c.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if r := p.wait(); r.code != 0 {
		t.Fatalf("a job that finds room in the end: %s", r)
	}
	u.same("counts", u.lines(u.out("results/later")), count(words))
	u.kill(app)
}
