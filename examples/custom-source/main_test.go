package main

import (
	"math/big"
	"testing"

	"github.com/weft-project/weft/stream"
	"github.com/weft-project/weft/streamtest"
)

func TestSquares(t *testing.T) {
	const upto = 25_000 // three splits, the last one short
	want, total := new(big.Int), new(big.Int)
	for i := range int64(upto) {
		want.Add(want, new(big.Int).Mul(big.NewInt(i), big.NewInt(i)))
	}
	env := stream.New()
	env.SetMode(stream.Batch)
	out := streamtest.Collect(squares(stream.FromSource(env, "numbers", numbers(upto))), "sums")
	streamtest.Run(t, env, streamtest.Workers(2), streamtest.Parallelism(2)) // numbers go from one worker to the other by their codec
	for _, x := range out.Values() {
		total.Add(total, &x.Total.n)
	}
	if total.Cmp(want) != 0 || out.Len() != 6 { // squares end with 0, 1, 4, 5, 6 or 9
		t.Errorf("%d sums, %s in all; expected 6 and %s", out.Len(), total, want)
	}
}

func TestCodec(t *testing.T) {
	var x, y Number
	x.n.SetString("123456789012345678901234567890", 10)
	if err := y.DecodeWeft(x.AppendWeft(nil)); err != nil || x.n.Cmp(&y.n) != 0 {
		t.Errorf("%s came back as %s, %v", &x.n, &y.n, err)
	}
	if y.DecodeWeft([]byte{200}) == nil {
		t.Error("half a number was read")
	}
}
