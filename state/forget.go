package state

// Forget removes all that the parts hold for the current key. Timers stay.
func (k *Keyed[K]) Forget() {
	for _, p := range k.parts {
		if c, ok := p.(interface{ Clear() }); ok {
			c.Clear()
		}
	}
}
