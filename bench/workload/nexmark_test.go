package workload

import (
	"fmt"
	"math/big"
	"reflect"
	"testing"
)

// slow makes events as their definition reads, without regard to speed; only draws and folds are shared with Nexmark.
type slow struct{ state uint64 }

func (s *slow) draw() uint64 {
	s.state += golden
	return Mix(s.state)
}
func (s *slow) below(n int64) int64 { return int64(s.draw()>>1) % n }
func (s *slow) string(n int64) (out string) {
	var r uint64
	for k := range n {
		if k%12 == 0 {
			r = s.draw()
		}
		if c := r & 31; c < 26 {
			out += string(rune('a' + c))
		} else {
			out += " "
		}
		r >>= 5
	}
	return out
}
func (s *slow) price() int64 {
	u := new(big.Int).Mul(big.NewInt(int64(s.draw()>>32)), big.NewInt(6))
	decade := new(big.Int).Rsh(u, 32).Int64()
	rest := new(big.Int).And(u, big.NewInt(0xffffffff))
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(2+decade), nil)
	more := new(big.Int).Rsh(rest.Mul(rest, new(big.Int).Mul(p, big.NewInt(9))), 32)
	return p.Add(p, more).Int64()
}
func (s *slow) extra(now int, want int64) string {
	if int64(now) > want {
		return ""
	}
	want -= int64(now)
	d := want / 5
	if d == 0 {
		return s.string(want)
	}
	return s.string(want - d + s.below(2*d))
}
func (s *slow) person(i int64) int64 {
	people := i/50 + 1
	active := min(people, 1000)
	return people - active + s.below(active+10)
}

func slowEvent(seed uint64, rate, i int64) (e Event) {
	s := &slow{Mix(seed + uint64(i)*golden)}
	at := func(i int64) int64 { return 1500000000000 + i*1000/rate }
	last := i/50*3 + 2
	switch o := i % 50; {
	case o < 1:
		last = (i/50-1)*3 + 2
	case o <= 3:
		last = i/50*3 + o - 1
	}
	e.TS = at(i)
	switch o := i % 50; {
	case o == 0:
		p := Person{ID: 1000 + i/50, TS: e.TS}
		p.Name = firstNames[s.below(11)] + " " + lastNames[s.below(9)]
		p.Email = s.string(7) + "@" + s.string(5) + ".com"
		p.CreditCard = fmt.Sprintf("%04d", s.below(10000))
		for range 3 {
			p.CreditCard += fmt.Sprintf(" %04d", s.below(10000))
		}
		p.City = cities[s.below(10)]
		p.State = states[s.below(6)]
		p.Extra = s.extra(8+len(p.Name+p.Email+p.CreditCard+p.City+p.State), 200)
		e.Kind, e.Person = IsPerson, p
	case o <= 3:
		a := Auction{ID: 1000 + last, TS: e.TS}
		if s.below(4) > 0 {
			a.Seller = 1000 + i/50/100*100
		} else {
			a.Seller = 1000 + s.person(i)
		}
		a.Category = 10 + s.below(5)
		a.InitialBid = s.price()
		a.Expires = e.TS + 1 + s.below(max(2*(at(i+1666)-e.TS), 1))
		a.ItemName = s.string(3 + s.below(17))
		a.Description = s.string(3 + s.below(97))
		a.Reserve = a.InitialBid + s.price()
		a.Extra = s.extra(8+len(a.ItemName)+len(a.Description)+40, 500)
		e.Kind, e.Auction = IsAuction, a
	default:
		b := Bid{TS: e.TS}
		if s.below(2) > 0 {
			b.Auction = 1000 + last/100*100
		} else {
			first := max(last-100, 0)
			b.Auction = 1000 + first + s.below(last-first+1+10)
		}
		if s.below(4) > 0 {
			b.Bidder = 1000 + i/50/100*100 + 1
		} else {
			b.Bidder = 1000 + s.person(i)
		}
		b.Price = s.price()
		c := s.below(10000)
		b.Channel, b.URL = fmt.Sprint("channel-", c), fmt.Sprint("https://www.nexmark.com/item.htm?query=1&channel_id=", c)
		b.Extra = s.extra(32, 100)
		e.Kind, e.Bid = IsBid, b
	}
	return e
}

func TestNexmarkEventsAreAsDefined(t *testing.T) {
	for _, tt := range []struct {
		seed           uint64
		rate, from, to int64
	}{{1, 100_000, 0, 5000}, {7, 1000, 90_000, 92_000}, {1, 100_000, 9_999_000, 10_000_000}} {
		g := NewNexmark(tt.seed, tt.rate)
		for i := tt.from; i < tt.to; i++ {
			var got Event
			g.Fill(i, &got)
			if want := slowEvent(tt.seed, tt.rate, i); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, event %d:\n%+v\nexpected\n%+v", tt.seed, i, got, want)
			}
		}
	}
}

// An event's strings stay as they were while others are made.
func TestNexmarkTextIsNotWrittenOver(t *testing.T) {
	g := NewNexmark(1, 100_000)
	kept := make([]Event, 3000)
	for i := range kept {
		g.Fill(int64(i), &kept[i])
	}
	for i := range kept {
		if want := slowEvent(1, 100_000, int64(i)); !reflect.DeepEqual(kept[i], want) {
			t.Fatalf("event %d has changed: %+v", i, kept[i])
		}
	}
}

// Whoever changes a byte of a string changes the checksum that counts bytes, and no other.
func TestFoldOfText(t *testing.T) {
	g := NewNexmark(1, 100_000)
	for i := range int64(10) {
		var e Event
		g.Fill(i, &e)
		other := e
		other.Person.Extra, other.Auction.Extra, other.Bid.Extra = flip(e.Person.Extra), flip(e.Auction.Extra), flip(e.Bid.Extra)
		if e.Fold(true) == other.Fold(true) || e.Fold(false) != other.Fold(false) {
			t.Errorf("event %d: the fold does not see its text as it should", i)
		}
	}
}

func flip(s string) string {
	b := []byte(s)
	if len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	return string(b)
}

func BenchmarkNexmark(b *testing.B) {
	g, i, sum := NewNexmark(1, 100_000), int64(0), uint64(0)
	var e Event
	b.ReportAllocs()
	for b.Loop() {
		g.Fill(i, &e)
		sum += e.Fold(false)
		i++
	}
}
