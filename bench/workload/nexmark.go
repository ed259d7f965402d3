package workload

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// What Nexmark events are drawn from.
const (
	nexmarkBase = 1_500_000_000_000 // time of event 0 in milliseconds
	firstID     = 1000
	// Of 50 events one is a person, three are auctions, the rest bids.
	perEpoch, auctionsPerEpoch = 50, 3
	activePeople, openAuctions = 1000, 100
	// ahead is how many persons and auctions an id may be in front of the last one made.
	ahead   = 10
	hotStep = 100
	// textRoom is more than the text of any event takes.
	textRoom  = 2048
	textChunk = 64 << 10
	letters12 = 12 // letters of one draw
)

var (
	firstNames = [...]string{"Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"}
	lastNames  = [...]string{"Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"}
	cities     = [...]string{"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	states     = [...]string{"AZ", "CA", "ID", "OR", "WA", "WY"}
	powers     = [...]uint64{100, 1000, 10_000, 100_000, 1_000_000, 10_000_000}
	// pairs are the two letters of ten bits, the lower five first.
	pairs = letterPairs()
)

func letterPairs() (t [1024]uint16) {
	for i := range t {
		t[i] = uint16(letter(uint64(i)&31)) | uint16(letter(uint64(i)>>5))<<8
	}
	return t
}

func letter(c uint64) byte {
	if c < 26 {
		return byte('a' + c)
	}
	return ' '
}

// Kind says which of an event's parts is set.
type Kind uint8

// The kinds of events.
const (
	IsPerson Kind = iota
	IsAuction
	IsBid
)

// Event is one event of Nexmark. Only the part that Kind says is set.
type Event struct {
	Kind    Kind
	TS      int64 // milliseconds since the epoch
	Person  Person
	Auction Auction
	Bid     Bid
}

// Person is someone who has registered.
type Person struct {
	ID                                   int64
	Name, Email, CreditCard, City, State string
	TS                                   int64
	Extra                                string
}

// Auction is something that is for sale.
type Auction struct {
	ID, Seller, Category, InitialBid, Expires, TS int64
	ItemName, Description                         string
	Reserve                                       int64
	Extra                                         string
}

// Bid is an offer.
type Bid struct {
	Auction, Bidder, Price int64
	Channel, URL           string
	TS                     int64
	Extra                  string
}

// Nexmark makes events. It belongs to one goroutine: their strings are cut from larger pieces of text.
type Nexmark struct {
	seed  uint64
	rate  int64 // events in a second of event time
	state uint64
	text  strings.Builder
	buf   [textRoom]byte
	n     int // of buf that is used
}

// NewNexmark begins a generator.
func NewNexmark(seed uint64, eventRate int64) *Nexmark { return &Nexmark{seed: seed, rate: eventRate} }

func (g *Nexmark) draw() uint64 {
	g.state += golden
	return Mix(g.state)
}

func (g *Nexmark) below(n int64) int64 { return int64((g.draw() >> 1) % uint64(n)) }

func (g *Nexmark) time(i int64) int64 { return nexmarkBase + i*1000/g.rate }

// letters writes n letters.
func (g *Nexmark) letters(n int) {
	at, end := g.n, g.n+n
	g.n = end
	for ; at < end; at += letters12 { // what is written beyond the end is overwritten by what comes next
		r := g.draw()
		b := g.buf[at : at+letters12]
		binary.LittleEndian.PutUint64(b, uint64(pairs[r&1023])|uint64(pairs[r>>10&1023])<<16|uint64(pairs[r>>20&1023])<<32|uint64(pairs[r>>30&1023])<<48)
		binary.LittleEndian.PutUint32(b[8:], uint32(pairs[r>>40&1023])|uint32(pairs[r>>50&1023])<<16)
	}
}

// extra writes what is missing to a length, give or take a fifth.
func (g *Nexmark) extra(now, want int64) {
	if now > want {
		return
	}
	want -= now
	d := want / 5
	n := want - d
	if d > 0 {
		n += g.below(2 * d)
	}
	g.letters(int(n))
}

func (g *Nexmark) write(s string) { g.n += copy(g.buf[g.n:], s) }

func (g *Nexmark) number(v int64) { g.n = len(strconv.AppendInt(g.buf[:g.n], v, 10)) }

// keep makes what was written text that stays.
func (g *Nexmark) keep() string {
	if g.text.Cap()-g.text.Len() < g.n {
		g.text.Reset()
		g.text.Grow(textChunk)
	}
	from := g.text.Len()
	g.text.Write(g.buf[:g.n])
	return g.text.String()[from:]
}

// price is log-uniform by decades, linear inside one.
func (g *Nexmark) price() int64 {
	u := (g.draw() >> 32) * 6
	p := powers[u>>32]
	return int64(p + (9*p*(u&0xffffffff))>>32)
}

func lastPerson(i int64) int64 { return i / perEpoch }

func lastAuction(i int64) int64 {
	switch e, o := i/perEpoch, i%perEpoch; {
	case o < 1:
		return (e-1)*auctionsPerEpoch + auctionsPerEpoch - 1
	case o > auctionsPerEpoch:
		return e*auctionsPerEpoch + auctionsPerEpoch - 1
	default:
		return e*auctionsPerEpoch + o - 1
	}
}

func (g *Nexmark) somePerson(i int64) int64 {
	people := lastPerson(i) + 1
	active := min(people, activePeople)
	return people - active + g.below(active+ahead)
}

func (g *Nexmark) someAuction(i int64) int64 {
	last := lastAuction(i)
	first := max(last-openAuctions, 0)
	return first + g.below(last-first+1+ahead)
}

// Fill makes event i. Parts of other kinds are left as they are.
func (g *Nexmark) Fill(i int64, e *Event) {
	g.state, g.n = Mix(g.seed+uint64(i)*golden), 0
	e.TS = g.time(i)
	switch rem := i % perEpoch; {
	case rem == 0:
		e.Kind = IsPerson
		g.person(i, &e.Person)
	case rem <= auctionsPerEpoch:
		e.Kind = IsAuction
		g.auction(i, &e.Auction)
	default:
		e.Kind = IsBid
		g.bid(i, &e.Bid)
	}
}

func (g *Nexmark) person(i int64, p *Person) {
	p.ID, p.TS = firstID+lastPerson(i), g.time(i)
	g.write(firstNames[g.below(int64(len(firstNames)))])
	g.write(" ")
	g.write(lastNames[g.below(int64(len(lastNames)))])
	name := g.n
	g.letters(7)
	g.write("@")
	g.letters(5)
	g.write(".com")
	email := g.n
	for k := range 4 {
		if k > 0 {
			g.write(" ")
		}
		four := g.below(10_000)
		for _, d := range [...]int64{1000, 100, 10, 1} {
			g.buf[g.n] = byte('0' + four/d%10)
			g.n++
		}
	}
	card := g.n
	p.City, p.State = cities[g.below(int64(len(cities)))], states[g.below(int64(len(states)))]
	g.extra(int64(8+card+len(p.City)+len(p.State)), 200)
	s := g.keep()
	p.Name, p.Email, p.CreditCard, p.Extra = s[:name], s[name:email], s[email:card], s[card:]
}

func (g *Nexmark) auction(i int64, a *Auction) {
	a.ID, a.TS = firstID+lastAuction(i), g.time(i)
	if g.below(4) > 0 {
		a.Seller = firstID + lastPerson(i)/hotStep*hotStep
	} else {
		a.Seller = firstID + g.somePerson(i)
	}
	a.Category = 10 + g.below(5)
	a.InitialBid = g.price()
	// An auction lasts until about as many more have begun as are open at a time.
	const later = openAuctions * perEpoch / auctionsPerEpoch
	a.Expires = a.TS + 1 + g.below(max(2*(g.time(i+later)-a.TS), 1))
	g.letters(int(3 + g.below(17)))
	item := g.n
	g.letters(int(3 + g.below(97)))
	description := g.n
	a.Reserve = a.InitialBid + g.price()
	g.extra(int64(8+description+40), 500)
	s := g.keep()
	a.ItemName, a.Description, a.Extra = s[:item], s[item:description], s[description:]
}

func (g *Nexmark) bid(i int64, b *Bid) {
	b.TS = g.time(i)
	if g.below(2) > 0 {
		b.Auction = firstID + lastAuction(i)/hotStep*hotStep
	} else {
		b.Auction = firstID + g.someAuction(i)
	}
	if g.below(4) > 0 {
		b.Bidder = firstID + lastPerson(i)/hotStep*hotStep + 1
	} else {
		b.Bidder = firstID + g.somePerson(i)
	}
	b.Price = g.price()
	c := g.below(10_000)
	g.write("channel-")
	g.number(c)
	channel := g.n
	g.write("https://www.nexmark.com/item.htm?query=1&channel_id=")
	g.number(c)
	url := g.n
	g.extra(32, 100)
	s := g.keep()
	b.Channel, b.URL, b.Extra = s[:channel], s[channel:url], s[url:]
}

// Fold is the checksum term of an event: all numbers, and the lengths of what was drawn. With text every byte of every string
// counts too.
func (e *Event) Fold(text bool) uint64 {
	var s uint64
	switch e.Kind {
	case IsPerson:
		p := &e.Person
		s = uint64(8 + len(p.Name) + len(p.Email) + len(p.CreditCard) + len(p.City) + len(p.State) + len(p.Extra))
	case IsAuction:
		a := &e.Auction
		s = Fold(uint64(a.ID), uint64(a.Seller), uint64(a.Category), uint64(a.InitialBid), uint64(a.Reserve), uint64(a.Expires),
			uint64(len(a.ItemName)), uint64(len(a.Description)), uint64(len(a.Extra)))
	default:
		b := &e.Bid
		s = Fold(Fold(uint64(b.Auction), uint64(b.Bidder), uint64(b.Price), uint64(b.TS)), uint64(len(b.Channel)), uint64(len(b.URL)), uint64(len(b.Extra)))
	}
	h := Fold(uint64(e.TS), s)
	if text {
		for _, t := range e.strings() {
			for i := range len(t) {
				h = Mix(h ^ uint64(t[i]))
			}
		}
	}
	return h
}

func (e *Event) strings() []string {
	switch p, a, b := &e.Person, &e.Auction, &e.Bid; e.Kind {
	case IsPerson:
		return []string{p.Name, p.Email, p.CreditCard, p.City, p.State, p.Extra}
	case IsAuction:
		return []string{a.ItemName, a.Description, a.Extra}
	default:
		return []string{b.Channel, b.URL, b.Extra}
	}
}
