package streamtest

// Option changes how a test runs.
type Option func(*settings)

type settings struct {
	parallelism int
	workers     int
	clock       *Clock
	mutation    bool // is allowed
}

func settingsOf(options []Option) settings {
	var s settings
	for _, o := range options {
		o(&s)
	}
	return s
}

// Parallelism is that of operators for which the program says nothing: 1 in a Harness and 2 in Run unless it is given.
func Parallelism(n int) Option { return func(s *settings) { s.parallelism = n } }

// Workers is how many workers Run has, 2 unless it is given. What passes between two of them is encoded and goes over TCP.
func Workers(n int) Option { return func(s *settings) { s.workers = n } }

// OnClock gives processing time into the test's hand. In Run it is the machine's clock unless it is given.
func OnClock(c *Clock) Option { return func(s *settings) { s.clock = c } }

// AllowMutation switches the detector of changed records off.
func AllowMutation() Option { return func(s *settings) { s.mutation = true } }
