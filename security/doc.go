// Package security is driver: what stands between Weft's own processes and everybody else.
//
// It holds the application's secret and what is derived from it, the mutual handshake that every connection between
// Weft processes begins with, that handshake as gRPC transport credentials, and a listener that runs handshakes with a
// bound on how many may be pending. Messages and proofs are described in docs/formats/handshake.md.
//
// The handshake authenticates both ends; it does not encrypt. Whoever can change packets between two machines can take
// over a connection after its handshake: that needs TLS. The seam for TLS is in place: over a tls.Conn the handshake
// binds its proofs to the TLS session (channelBinding), so that TLS with certificates nobody vouches for is still
// proof against a man in the middle.
//
// Files: secret.go (Secret, derivation, printing), secretfile.go (files with mode 0600), message.go (the codec),
// handshake.go (both sides), listener.go (bounded accepting), grpc.go (transport credentials).
package security
