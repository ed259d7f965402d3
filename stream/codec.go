package stream

import "github.com/weft-project/weft/codec"

// Codec is implemented by *T where a type of records, keys of maps or state shall travel in another form than the one that is
// made of its fields. The compiler tells whether it is:
//
//	var _ stream.Codec = (*Money)(nil)
//
// Structs of other packages that keep their fields to themselves need none where they have MarshalBinary and UnmarshalBinary.
type Codec = codec.Coder
