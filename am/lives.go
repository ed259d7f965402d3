package am

import "time"

// lives are the times of a set of delegation tokens: since when they are known to live until when, and when they end however
// often they are renewed. The zero value are tokens that are not there.
type lives struct{ began, until, max time.Time }

// next is how long to wait before something is done about the tokens.
func (l lives) next(now time.Time, ratio float64) time.Duration {
	at := l.began.Add(time.Duration(ratio * float64(l.until.Sub(l.began))))
	return max(at.Sub(now), 0)
}

// exhausted tells that renewing would not help for long: what is left until the end for good is less than what is kept in hand of
// one life.
func (l lives) exhausted(ratio float64) bool {
	return l.max.Sub(l.until) < time.Duration((1-ratio)*float64(l.until.Sub(l.began)))
}

// firstRetryPause is the pause after the first failure.
const firstRetryPause = time.Second

// pauseAfter is how long to wait after some failures in a row: longer each time, up to limit, and never so long that fewer than a
// few attempts are left before the tokens end.
func pauseAfter(failures int, limit, left time.Duration) time.Duration {
	pause := firstRetryPause << min(failures-1, 12)
	if left > 0 {
		pause = min(pause, max(left/8, firstRetryPause))
	}
	return min(pause, max(limit, firstRetryPause))
}
