// Package schema is core: types of stored values as text, so that who has no Go type can read state too. Of writes the text of a type,
// Parse reads it, JSON shows what package codec has encoded by it, Convert changes an encoding from one type to another whose
// fields differ.
//
// The text (docs/formats/checkpoint.md) is Go's, with fields' names, and without the names of types but where one refers to itself.
package schema
