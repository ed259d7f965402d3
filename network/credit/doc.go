// Package credit is core: who may send how much, so that memory has a bound and a slow receiver holds up nobody else.
//
// A consumer's gate owns, for every channel, Exclusive buffers and shares Floating ones among all its channels. A buffer
// of a channel is in one of three places:
//
//	announced  the producer knows about it and may fill it (a credit)
//	held back  free, but its credit has not been sent yet: credits travel a few at a time
//	in use     filled, and not released by the task yet
//
// Invariants, checked by the tests after every step:
//
//	C1. announced + held back + in use of an open channel >= Exclusive.
//	C2. What channels have beyond Exclusive adds up, with the free ones, to Floating.
//	C3. A channel that has buffers held back has more of them announced, or its credits are due: so a producer
//	    without credit never waits for a credit that nobody sends.
//	C4. A producer that sends without credit is refused.
//
// Floating buffers go to the channels that have a backlog, in the order in which they asked, and come back when they are
// released. Limit is the producer's side of the same rule for the buffers that wait to be sent.
package credit
