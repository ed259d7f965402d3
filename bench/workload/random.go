package workload

// golden is the increment of SplitMix64.
const golden = 0x9E3779B97F4A7C15

// Mix is SplitMix64's finaliser.
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// At gives draw j (from 0) of event i: random access without state.
func At(seed, i, j uint64) uint64 { return Mix(Mix(seed+i*golden) + (j+1)*golden) }

// Scatter gives a random number for each i.
func Scatter(i uint64) uint64 { return Mix(i * golden) }

// Fold is the checksum term of one result; the terms of all results are added up with wrap-around.
func Fold(xs ...uint64) uint64 {
	var h uint64
	for _, x := range xs {
		h = Mix(h ^ x)
	}
	return h
}

// splitMix is the sequential generator.
type splitMix struct{ state uint64 }

func (s *splitMix) next() uint64 {
	s.state += golden
	return Mix(s.state)
}
