// Package rpc is a driver: the client side of Hadoop RPC, protocol version 9.
//
// A connection opens with seven bytes ("hrpc", version 9, service class 0, authentication 0 or 0xDF for SASL), then come
// frames: four bytes of length, big endian, and varint-delimited messages. Order: header, SASL negotiation (0xDF only),
// connection context, calls. A request is RpcRequestHeader, RequestHeader and the argument; an answer RpcResponseHeader and, on
// success, the result. Negative call ids are the protocol's own. With a protection above authentication every frame after the
// negotiation travels wrapped inside a SASL frame, requests too (Hadoop's org.apache.hadoop.ipc.Server and SaslRpcClient).
//
// A Client holds the connections of a process; a Proxy is one remote service, with its addresses, its identity and its retry
// policy. Any number of calls are in flight on one connection; answers are matched by call id. A call ends with its context, with
// the time limit of an attempt, or when the policy gives up, and then with an error that names host and port, protocol and
// method: it never hangs. A retried call keeps client id and call id, so that a server's retry cache recognises it.
//
// Open does only the opening of one connection and gives a net.Conn that hides the wrapping, for users that speak the frames
// themselves.
package rpc
